"""Databases that hold the MLflow store themselves: which driver speaks to them, and where their artifacts go."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import create_engine

from lesionflow.config import Settings
from lesionflow.errors import ConfigError
from lesionflow.registry.secrets import without_password

#: A database that takes no connection within so many seconds is taken to be down.
PATIENCE_SECONDS = 15
ARTIFACTS_VARIABLE = "LESIONFLOW_ARTIFACTS_URI"


class Driver(NamedTuple):
    """What speaks to a kind of database: the address's own name for it, its module, and the extra that installs it."""

    scheme: str
    module: str
    extra: str


PSYCOPG, PYMYSQL = Driver("postgresql+psycopg", "psycopg", "postgresql"), Driver("mysql+pymysql", "pymysql", "mariadb")
#: By the scheme of the address as people write it. MLflow calls MariaDB by the name of MySQL.
DRIVERS = {
    "postgres": PSYCOPG,
    "postgresql": PSYCOPG,
    "postgresql+psycopg": PSYCOPG,
    "mysql": PYMYSQL,
    "mariadb": PYMYSQL,
    "mysql+pymysql": PYMYSQL,
    "mariadb+pymysql": PYMYSQL,
}


def is_database(tracking_uri: str) -> bool:
    """Tell whether an address is that of a database server, reached without an MLflow server before it."""
    return tracking_uri.partition("://")[0].lower().split("+")[0] in {"postgres", "postgresql", "mysql", "mariadb"}


def with_driver(tracking_uri: str) -> str:
    """Return the address as MLflow must be told it, which names the driver; one that is no database's as it is.

    Args:
        tracking_uri: Such as `postgresql://user:password@host/database` or `mariadb://...`.

    Raises:
        ConfigError: When the driver is not installed; the extra that has it is named.
    """
    scheme, separator, rest = tracking_uri.partition("://")
    driver = DRIVERS.get(scheme.lower())
    if not separator or driver is None:
        return tracking_uri
    if find_spec(driver.module) is None:
        raise ConfigError(
            f"Expected {driver.module}, the driver for the store {without_password(tracking_uri)}, found it not installed. Install it with "
            f"`pip install 'lesionflow[{driver.extra}]'`, or name an MLflow server or a sqlite:///FILE in MLFLOW_TRACKING_URI."
        )
    return f"{driver.scheme}{separator}{rest}"


def knock(database: str) -> None:
    """Connect once to a database, as MLflow itself tries for two minutes, and prints each try, before it says that there is none.

    Args:
        database: Its address, with the driver; any other is let pass.
    """
    driver = next((one for one in (PSYCOPG, PYMYSQL) if database.startswith(f"{one.scheme}://")), None)
    if driver is not None:
        engine = create_engine(database, connect_args={"connect_timeout": PATIENCE_SECONDS})
        try:
            engine.connect().close()
        finally:
            engine.dispose()


def shared_artifacts(tracking_uri: str, experiment: str) -> str:
    """Return where the artifacts of an experiment go whose store is a database: it holds none itself.

    Args:
        tracking_uri: The store.
        experiment: The experiment's name.

    Raises:
        ConfigError: When no place is named that all machines see. MLflow itself would take a folder of whoever comes first.
    """
    place = Settings().artifacts_uri
    if not place or ("://" not in place and not Path(place).is_absolute()):
        raise ConfigError(
            f"Expected {ARTIFACTS_VARIABLE} to name where bundles and pictures of the store {without_password(tracking_uri)} go, a full path or "
            f"an address (s3://...) that all machines see, found {without_password(place) if place else 'nothing'}. Set it, or use an MLflow server, which "
            "has a place of its own."
        )
    root = place if "://" in place else Path(place).as_uri()
    return f"{root.rstrip('/')}/{experiment}"
