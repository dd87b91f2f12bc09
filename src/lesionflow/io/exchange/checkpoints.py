"""PyTorch's checkpoints that others wrote, which are pickles: read by torch's restricted reader, so that no code in them runs.

What nnU-Net puts beside the weights (figures as numpy scalars, a device) is let through in a form that can do nothing; any other
name is refused, and told.
"""

import contextlib
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lesionflow.errors import ArtifactError
from lesionflow.machine.faults import blame_machine

#: How numpy's scalar types are packed (numpy's `dtype.str`); others are not needed and become NaN.
PACKED = {"f8": "d", "f4": "f", "i8": "q", "i4": "i"}
NAN = float("nan")
REFUSED = re.compile(r"GLOBAL (\S+) was not an allowed|GLOBAL (\S+) whose module")


class _Type:
    """Stands for numpy's `dtype`: keeps the name of the type and nothing else."""

    def __init__(self, name: str = "", *_: object) -> None:
        self.name = str(name)

    def __setstate__(self, _state: object) -> None:
        """Byte order and the rest are not needed."""


def _scalar(kind: object = None, packed: object = b"", *_: object) -> float:
    """Stand for numpy's `scalar`: the number that a few bytes hold."""
    code = PACKED.get(kind.name, "") if isinstance(kind, _Type) else ""
    content = packed.encode("latin1") if isinstance(packed, str) else packed
    if not code or not isinstance(content, bytes) or len(content) != struct.calcsize(code):
        return NAN
    return float(struct.unpack(f"<{code}", content)[0])


def _encode(text: object = "", *_: object) -> bytes:
    """Stand for `codecs.encode`, by which old pickles hold bytes."""
    return text.encode("latin1", "replace") if isinstance(text, str) else b""


def _harmless() -> list[Any]:
    numbers = ("Float64DType", "Float32DType", "Int64DType", "Int32DType")
    scalars = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    return [
        *((_scalar, name) for name in scalars),
        (_Type, "numpy.dtype"),
        *((_Type, f"numpy.dtypes.{name}") for name in numbers),
        (_encode, "_codecs.encode"),
    ]


def read_checkpoint(path: Path, *, name: str) -> dict[str, Any]:
    """Read a checkpoint without running anything that it holds.

    Args:
        path: The file.
        name: What to call it in messages.

    Returns:
        What it holds: torch tensors on the CPU, and plain values.

    Raises:
        ArtifactError: When it is missing, broken, or names anything that weights do not need.
    """
    # torch takes four seconds.
    import torch

    if not path.is_file():
        raise ArtifactError(f"Expected a checkpoint {name}, found none. Name the folder of a training that ended.")
    with _refused_by_name(name), torch.serialization.safe_globals(_harmless()):
        content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise ArtifactError(f"Expected a dictionary in the checkpoint {name}, found {type(content).__name__}.")
    return content


@contextlib.contextmanager
def _refused_by_name(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # torch.load raises a dozen kinds of errors on bytes that are not its own.
        blame_machine(error)
        found = REFUSED.search(str(error))
        if found:
            what = next(part for part in found.groups() if part)
            raise ArtifactError(
                f"Expected weights and figures alone in the checkpoint {name}, found {what}, which could run code. Nothing of it was "
                "run. Save it with nnU-Net's own trainer, or ask who made it."
            ) from error
        raise ArtifactError(
            f"Expected a checkpoint of PyTorch in {name}, found: {(str(error).splitlines() or ['nothing'])[0]:.200}. Copy it again."
        ) from error
