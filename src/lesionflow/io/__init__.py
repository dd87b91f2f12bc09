"""Reading and writing files: the only room but `steps` that knows paths."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lesionflow.io.layouts import READERS, Layout, Reader, recognize

__all__ = ["READERS", "Layout", "Reader", "recognize"]


def __getattr__(name: str) -> Any:
    """Load the readers when they are asked for: DICOM's libraries take longer to load than a case to be read."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module("lesionflow.io.layouts"), name)
