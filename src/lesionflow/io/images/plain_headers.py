"""Headers of NRRD and MetaImage in the forms that programs write: what they say of the grid, as ITK would say it.

A header with anything else in it (other encodings, skipped bytes, axes of other kinds, a word said twice) is no plain one: ITK is asked then.
NRRD by teem.sourceforge.net/nrrd/format.html; MetaImage by itk.org/Wiki/ITK/MetaIO/Documentation. Tests compare all with ITK, to the last bit.
"""

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.io.images.packing.packed_voxels import HEADER_BYTES, META_END, NRRD_END, NRRD_ENDINGS

NRRD_MAGIC = re.compile("NRRD000[1-5]")
NRRD_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "int8"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "uint8"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "int16"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "uint16"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "int32"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "uint32"),
    **dict.fromkeys(("float",), "float32"),
    **dict.fromkeys(("double",), "float64"),
}
#: Words that say where voxels lie or what they are in this module's sense, or nothing of either.
NRRD_WORDS = {
    "type", "dimension", "space", "sizes", "space directions", "kinds", "endian", "encoding", "space origin", "space units", "content",
    "measurement frame", "data file", "datafile",
}  # fmt: skip
#: What is said first, and what is read by it.
NRRD_ORDER = {
    "dimension": ("sizes", "space directions", "kinds"),
    "space": ("space directions", "space origin", "space units", "measurement frame"),
}
#: By which signs a space's first two axes differ from LPS.
NRRD_SPACES = {
    **dict.fromkeys(("left-posterior-superior", "lps"), (1.0, 1.0)),
    **dict.fromkeys(("right-anterior-superior", "ras"), (-1.0, -1.0)),
    **dict.fromkeys(("left-anterior-superior", "las"), (1.0, -1.0)),
}
DOMAINS, RANGES = {"domain", "space"}, {"vector", "list"}
META_TYPES = {
    "MET_CHAR": "int8", "MET_UCHAR": "uint8", "MET_SHORT": "int16", "MET_USHORT": "uint16", "MET_INT": "int32", "MET_UINT": "uint32",
    "MET_FLOAT": "float32", "MET_DOUBLE": "float64",
}  # fmt: skip
#: Names of one thing: at most one of them is said.
META_SYNONYMS = (
    ("Offset", "Position", "Origin"),
    ("TransformMatrix", "Rotation", "Orientation"),
    ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"),
)
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
VECTOR = re.compile(r"\(([^()]*)\)")
#: Columns whose box is flatter than this are no grid.
LEAST_DETERMINANT = 1e-6


class PlainHeader(NamedTuple):
    """What a plain header says.

    Args:
        size: (x, y, z).
        spacing_mm: (x, y, z).
        direction: Rows of the matrix whose columns are the axes, in LPS.
        origin_mm: Center of the first voxel, in LPS.
        dtype: Of one number, as it is stored.
        n_components: Numbers a voxel.
    """

    size: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    direction: tuple[tuple[float, ...], ...]
    origin_mm: tuple[float, ...]
    dtype: np.dtype[Any]
    n_components: int


def read_plain_header(path: Path) -> PlainHeader | None:
    """Read a header of a plain form.

    Args:
        path: A NRRD or MetaImage, or its header.

    Returns:
        What it says; None when it is of another form, which need not be a fault.
    """
    is_nrrd = path.suffix.lower() in NRRD_ENDINGS
    lines = _lines(path)
    if lines is None:
        return None
    try:
        return _nrrd([line.decode("ascii") for line in lines if b":=" not in line]) if is_nrrd else _meta(lines)
    except UnicodeDecodeError:
        return None


def read_texts(path: Path) -> dict[str, str] | None:
    """Read what a NRRD says by keys of its writer's own, `key:=value`.

    Args:
        path: A NRRD, or its header.

    Returns:
        Values by key; None where the header is longer than those that are read here.

    Raises:
        UnicodeDecodeError: When a value is not UTF-8.
    """
    lines = _lines(path)
    if lines is None:
        return None
    said = [line.decode("utf-8").partition(":=") for line in lines if b":=" in line and not line.startswith(b"#")]
    return {_unescaped(key): _unescaped(value) for key, _, value in said}


def _lines(path: Path) -> list[bytes] | None:
    """Return the lines of a header; None where its end is not found."""
    with path.open("rb") as source:
        head = source.read(HEADER_BYTES)
    is_nrrd = path.suffix.lower() in NRRD_ENDINGS
    end = (NRRD_END if is_nrrd else META_END).search(head)
    # A header beside its file need not end in an empty line.
    if end is None and (path.suffix.lower() != ".nhdr" or len(head) == HEADER_BYTES):
        return None
    return [line.removesuffix(b"\r") for line in head[: end.end() if end else None].split(b"\n")]


def _unescaped(text: str) -> str:
    return re.sub(r"\\([n\\])", lambda found: "\n" if found[1] == "n" else "\\", text)


def _nrrd(lines: list[str]) -> PlainHeader | None:
    fields = _nrrd_fields(lines)
    sizes, n_components, columns = _nrrd_axes(fields)
    dtype, signs = NRRD_TYPES.get(fields.get("type", "").lower()), NRRD_SPACES.get(fields.get("space", "").lower())
    origin = _vectors(fields.get("space origin", ""))
    endian = fields.get("endian", "little" if dtype in {"int8", "uint8"} else "").lower()
    if dtype is None or signs is None or endian not in {"little", "big"} or (len(columns), len(origin)) != (3, 1):
        return None
    turned = [(signs[0] * x, signs[1] * y, z) for x, y, z in columns]
    steps = [math.sqrt(x * x + y * y + z * z) for x, y, z in turned]
    if not all(math.isfinite(step) and step > 0 for step in steps):
        return None
    # As ITK's reader of NRRD does it: by the reciprocal.
    units = [tuple((1.0 / step) * part for part in column) for column, step in zip(turned, steps, strict=True)]
    x, y, z = origin[0]
    stored = np.dtype(dtype).newbyteorder(">" if endian == "big" else "<")
    return _made(sizes, steps, np.array(units).T, (signs[0] * x, signs[1] * y, z), stored, n_components)


def _nrrd_fields(lines: list[str]) -> dict[str, str]:
    """Return what a NRRD says by its format's words; nothing where it says it twice, in another order or with other words."""
    told = [line.partition(": ") for line in lines[1:] if line and not line.startswith("#")]
    fields = {key.lower(): value.strip() for key, _, value in told}
    is_plain = (
        NRRD_MAGIC.fullmatch(lines[0]) is not None
        and len(fields) == len(told)
        and set(fields) <= NRRD_WORDS
        and fields.get("encoding", "").lower() in {"raw", "gzip", "gz"}
        and not any(_is_before(fields, name, first) for first, names in NRRD_ORDER.items() for name in names)
    )
    return fields if is_plain else {}


def _nrrd_axes(fields: dict[str, str]) -> tuple[tuple[int, ...], int, list[tuple[float, ...]]]:
    """Return sizes of the three axes in space, numbers of a voxel and directions; no directions where there are other axes."""
    sizes, kinds = _whole(fields.get("sizes", "")), fields.get("kinds", "").lower().split()
    directions, n_components = fields.get("space directions", ""), 1
    if str(len(sizes)) != fields.get("dimension") or len(kinds) not in {0, len(sizes)}:
        return (), 0, []
    if len(sizes) == 4 and kinds and kinds[0] in RANGES and sizes[0] > 1 and directions.startswith("none "):
        (n_components, *rest), kinds, directions = sizes, kinds[1:], directions.removeprefix("none ")
        sizes = tuple(rest)
    return (sizes, n_components, _vectors(directions)) if len(sizes) == 3 and set(kinds) <= DOMAINS else ((), 0, [])


def _meta(lines: list[bytes]) -> PlainHeader | None:
    said = [line.decode("latin-1").partition("=") for line in lines if line.strip()]
    fields = {key.strip(): value.strip() for key, _, value in said}
    # Sizes and places are read by NDims, which goes before them.
    if (
        len(fields) < len(said)
        or list(fields)[:2] != ["ObjectType", "NDims"]
        or any(sum(name in fields for name in names) > 1 for names in META_SYNONYMS)
    ):
        return None
    plain = (fields["ObjectType"], fields.get("NDims"), fields.get("BinaryData"), fields.get("HeaderSize", "0"))
    if plain != ("Image", "3", "True", "0") or fields.get("CompressedData", "False") not in {"True", "False"}:
        return None
    dtype, n_components = META_TYPES.get(fields.get("ElementType", "")), fields.get("ElementNumberOfChannels", "1")
    sizes, steps = _whole(fields.get("DimSize", "")), _numbers(fields.get("ElementSpacing", ""))
    origin = _numbers(_one(fields, META_SYNONYMS[0], ""))
    turn = _numbers(_one(fields, META_SYNONYMS[1], "1 0 0 0 1 0 0 0 1"))
    msb = _one(fields, META_SYNONYMS[2], "" if dtype not in {"int8", "uint8"} else "False")
    if dtype is None or msb not in {"True", "False"} or not re.fullmatch(r"[1-9]\d?", n_components):
        return None
    if (len(sizes), len(steps), len(origin), len(turn)) != (3, 3, 3, 9) or min(steps) <= 0:
        return None
    stored = np.dtype(dtype).newbyteorder(">" if msb == "True" else "<")
    return _made(sizes, steps, np.reshape(turn, (3, 3)).T, origin, stored, int(n_components))


def _made(
    size: Any, steps: Any, direction: NDArray[np.float64], origin: Any, dtype: np.dtype[Any], n_components: int
) -> PlainHeader | None:
    if not all(size) or not abs(np.linalg.det(direction)) > LEAST_DETERMINANT:
        return None
    rows = tuple(tuple(float(part) for part in row) for row in direction)
    return PlainHeader(tuple(size), tuple(steps), rows, tuple(origin), dtype, n_components)


def _is_before(fields: dict[str, str], first: str, second: str) -> bool:
    said = list(fields)
    return first in fields and (second not in fields or said.index(first) < said.index(second))


def _one(fields: dict[str, str], names: tuple[str, ...], otherwise: str) -> str:
    return next((fields[name] for name in names if name in fields), otherwise)


def _whole(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split()) if re.fullmatch(r"[1-9]\d{0,8}(?: +[1-9]\d{0,8})*", text) else ()


def _numbers(text: str) -> tuple[float, ...]:
    parts = text.split()
    found = tuple(float(part) for part in parts if NUMBER.fullmatch(part))
    return found if len(found) == len(parts) and all(map(math.isfinite, found)) else ()


def _vectors(text: str) -> list[tuple[float, ...]]:
    """Return vectors of three numbers; nothing where there is anything else."""
    insides = VECTOR.findall(text)
    found = [_numbers(inside.replace(",", " ")) for inside in insides if inside.count(",") == 2]
    is_whole = not VECTOR.sub("", text).strip() and len(found) == len(insides)
    return found if is_whole and all(len(vector) == 3 for vector in found) else []
