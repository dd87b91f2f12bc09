"""What to do about a fault of MLflow: it was deleted, moved, denied, is down, of another version, or refuses what it was given."""

import errno
import re
from collections.abc import Iterator

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import ArgumentError

from lesionflow.machine.error_words import kind_in_words
from lesionflow.registry.secrets import has_unclear_password, without_password, without_secrets

MAX_LENGTH = 400
#: What a database adds to its message: the driver's name of the error, the statement, what was to be written, an address.
STATEMENT = re.compile(r"\s*\[SQL: .*|\s*\(Background on this error at: .*|\((?:\w+\.)+\w+\)\s*(?=\S)", re.DOTALL)
UNCLEAR = (
    "The user or password in MLFLOW_TRACKING_URI has a sign that ends it (@ : / ? # [ ]): write it as %40 %3A %2F %3F %23 %5B %5D, or set "
    "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead."
)
#: What a message or an error code says, and what helps; the first that fits is taken.
ADVICE: tuple[tuple[str, str], ...] = (
    (
        r"must be in the 'active' state|current state is deleted|lifecycle_stage.*deleted",
        (
            "It was deleted in MLflow. Restore it (`mlflow runs restore --run-id ID`, `mlflow experiments restore --experiment-id ID`), or train "
            "anew under another ingest.dataset_name."
        ),
    ),
    (
        r"invalid host header|dns rebinding",
        (
            "The server does not know the name by which it is called: start it with `mlflow server --allowed-hosts NAME,NAME:PORT`, or call it by a "
            "name that it knows."
        ),
    ),
    (
        r"\b401\b|unauthorized|unauthenticated|authentication failed|not authenticated|password authentication",
        "The server wants to know who asks: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.",
    ),
    (
        r"\b403\b|permission[_ ]denied|forbidden|access denied",
        (
            "This user may not do that: ask who runs the server for the right to write to the experiment and the registered model, or whether a "
            "proxy before it refuses; a store in a file must be writable."
        ),
    ),
    (
        r"out-of-date database schema|can't locate revision|database schema version",
        "The store is of another version of MLflow: make a copy of it, then `mlflow db upgrade URI`, or use the version that wrote it.",
    ),
    (
        r"file is not a database|malformed|no such table",
        "The file is no MLflow store, or broken: check MLFLOW_TRACKING_URI, or take the file back from a copy.",
    ),
    (
        r"database is locked",
        "Another program holds the store: wait for it, or end it, and give the same command again.",
    ),
    (
        r"no space left|disk is full|disk full|quota exceeded",
        "The disk of the store is full: make room, and give the same command again.",
    ),
    (
        r"unable to open database file|readonly database|read-only file system",
        "The file of the store can't be written: check its folder and the rights to it, and MLFLOW_TRACKING_URI.",
    ),
    (
        r"no module named",
        "The driver of this kind of database is not installed: install it, or use a server's address or a sqlite:///FILE.",
    ),
    (
        r"resource_does_not_exist|not_found|not found|\b404\b",
        (
            "MLflow does not have it, or no longer: it was deleted for good, or this is another store than it was written to. Check "
            "MLFLOW_TRACKING_URI; `lesionflow models list` says what is there."
        ),
    ),
    (
        r"no such file or directory|no such artifact|file or folder is missing",
        (
            "The store was moved, or its artifacts are gone: they lie in the folder `mlartifacts` beside a SQLite file, under the full path "
            "that they were written to. Move both back, or check MLFLOW_TRACKING_URI."
        ),
    ),
    (
        (
            r"timed out|timeout|connection refused|connection error|max retries|failed to establish|name resolution|failed to resolve|"
            r"too many 5\d\d|\b50[0-4]\b|could not connect|connection reset|temporarily unavailable"
        ),
        "The server does not answer: check MLFLOW_TRACKING_URI and that it runs, and give the same command again.",
    ),
    (
        r"invalid_parameter_value|bad_request|may only contain|invalid value|unsupported",
        "MLflow refuses what it was given; what it says names it. Check MLFLOW_TRACKING_URI if that is an address.",
    ),
)
OTHERWISE = "Check MLFLOW_TRACKING_URI and that the server or file is there."


def say_fault(error: BaseException, tracking_uri: str) -> str:
    """Say what went wrong with the store and what to do, without any password.

    Args:
        error: What mlflow or a library of it raised.
        tracking_uri: The store.
    """
    store = without_password(tracking_uri)
    if has_unclear_password(tracking_uri):
        # Whatever the error says may hold a part of the password, taken for a host or a port.
        return f"Expected to reach MLflow, found {kind_in_words(error)}. {UNCLEAR}"
    if isinstance(error, ArgumentError) or (isinstance(error, ValueError) and not isinstance(error, OSError)):
        found = without_secrets(STATEMENT.sub("", str(error)), tracking_uri)
        return f"Expected MLflow at {store} to take what it is given, found: {found:.{MAX_LENGTH}}. {advise(error)}"
    found = without_secrets(STATEMENT.sub("", str(error)), tracking_uri)
    return f"Expected to reach MLflow at {store}, found: {found:.{MAX_LENGTH}}. {advise(error)}"


def advise(error: BaseException) -> str:
    """Return what helps with an error, by its type, its code and what it says."""
    chain = list(_chain(error))
    if any(isinstance(one, ConnectionError | TimeoutError) for one in chain):
        said = "timeout"
    elif any(isinstance(one, OSError) and one.errno in {errno.ENOSPC, errno.EDQUOT} for one in chain):
        said = "disk full"
    else:
        said = " ".join(
            f"{getattr(one, 'error_code', '') if isinstance(one, MlflowException) else ''} {one}" for one in chain
        )
    return next((advice for pattern, advice in ADVICE if re.search(pattern, said, re.IGNORECASE)), OTHERWISE)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
