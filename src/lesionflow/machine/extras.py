"""Libraries that only some roles need: which extra installs each, and what is said where one is absent."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

from lesionflow.errors import ConfigError

#: The extra of `pyproject.toml` that installs a module; what no extra lists is always there.
EXTRAS: Mapping[str, str] = {
    "albumentations": "train",
    "blosc2": "train",
    "flask": "train",
    "fpdf": "serve",
    "great_expectations": "train",
    "lightning_fabric": "train",
    "matplotlib": "train",
    "pyarrow": "train",
    "pytorch_lightning": "train",
    "anyio": "serve",
    "bentoml": "serve",
    "fastapi": "serve",
    "h11": "serve",
    "httpx": "serve",
    "prometheus_client": "serve",
    "python_multipart": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
    "dvc": "workspace",
    "kfp": "kubeflow",
    "openvino": "openvino",
    "onnx": "onnx",
    "monai": "monai",
    "dvc_s3": "s3",
    "dvc_ssh": "ssh",
    "pynetdicom": "pacs",
    "psycopg": "postgresql",
    "pymysql": "mariadb",
}
#: How pandas says that it finds no pyarrow.
NO_PARQUET = "Unable to find a usable engine; tried using: 'pyarrow'"


def require(module: str) -> None:
    """Refuse, naming the extra, where a module is not installed; a module of no extra is let pass.

    Args:
        module: Its full name; the part before the first point counts.

    Raises:
        ConfigError: When it is not installed.
    """
    root = module.partition(".")[0]
    if root in EXTRAS and not _is_installed(root):
        raise _lacking(root)


def missing_extra(error: ImportError) -> ConfigError | None:
    """Return the error that names the extra of what was imported in vain; None where no extra installs it.

    Args:
        error: What was raised. One from within a library that is there, but broken, is not explained by this.
    """
    name = error.name or ""
    if name == "" and NO_PARQUET in str(error):
        return _lacking("pyarrow")
    return _lacking(name) if isinstance(error, ModuleNotFoundError) and name in EXTRAS else None


@contextmanager
def naming_extras() -> Iterator[None]:
    """Say of an import in vain which extra is needed.

    Raises:
        ConfigError: Instead of the `ImportError` of a library that an extra installs.
    """
    try:
        yield
    except ImportError as error:
        named = missing_extra(error)
        if named is None:
            raise
        raise named from error


def _is_installed(root: str) -> bool:
    try:
        return find_spec(root) is not None
    except ImportError:
        return False


def _lacking(root: str) -> ConfigError:
    extra = EXTRAS[root]
    return ConfigError(
        f"Expected the library {root}, found it not installed: it belongs to the role `{extra}`. Install it with "
        f"`pip install 'lesionflow[{extra}]'`, or give this command where that role is installed."
    )
