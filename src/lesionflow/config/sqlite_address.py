"""Addresses of SQLite files, made and taken apart in one place, as SQLAlchemy reads them: what stands there as `%20` is a blank.

References:
    SQLAlchemy, Engine Configuration, "Escaping Special Characters such as @ signs in Passwords": parts of an address are percent-encoded.
"""

import re
from pathlib import Path
from urllib.parse import unquote

#: With its driver or without; what follows `?` are options, none of the path.
ADDRESS = re.compile(r"sqlite(?:\+pysqlite)?:///([^?]+)")


def sqlite_address(file: Path) -> str:
    """Return the address of a file. `%` and `?` are escaped, all else stands as it is.

    Where they are, the driver is named: MLflow makes the folder of an address without it, and does not know of escapes.

    Args:
        file: Its path.

    Examples:
        >>> sqlite_address(Path("/w/a b/mlflow.db")), sqlite_address(Path("/w/a%20b/mlflow.db"))
        ('sqlite:////w/a b/mlflow.db', 'sqlite+pysqlite:////w/a%2520b/mlflow.db')
    """
    path = str(file)
    escaped = path.replace("%", "%25").replace("?", "%3F")
    return f"sqlite{'' if escaped == path else '+pysqlite'}:///{escaped}"


def sqlite_file(address: str) -> Path | None:
    """Return the file that an address names, as it stands: it may be relative; None where it is no SQLite file's.

    Examples:
        >>> str(sqlite_file("sqlite+pysqlite:////w/a%2520b/mlflow.db")), sqlite_file("postgresql://host/mlflow")
        ('/w/a%20b/mlflow.db', None)
    """
    found = ADDRESS.match(address)
    return None if found is None else Path(unquote(found[1]))
