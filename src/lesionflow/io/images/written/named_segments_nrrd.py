"""A mask as NRRD with its segments named, as 3D Slicer writes and shows it (`.seg.nrrd`).

Header by teem.sourceforge.net/nrrd/format.html; names of the segments' fields by Slicer's segmentation file format
(slicer.readthedocs.io, Segmentations). Written here, as the kept library for NRRD puts the time into each file and no
library knows the segments: the same mask must give the same bytes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from isal import igzip
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.io.files import replacing_file

ENDING = ".nrrd"
COMPRESSION_LEVEL = 1
#: Okabe and Ito's palette without black, in an order in which neighbors differ in lightness too; from 0 to 1.
COLORS = (
    (0.902, 0.624, 0.0), (0.337, 0.706, 0.914), (0.0, 0.620, 0.451), (0.941, 0.894, 0.259), (0.0, 0.447, 0.698),
    (0.835, 0.369, 0.0), (0.8, 0.475, 0.655),
)  # fmt: skip
#: SNOMED CT, as the DICOM SEG of the same mask says it (PS3.16 CID 7150 and 7159): category, type, no modifier; no anatomic region.
TERMINOLOGY = (
    "Segmentation category and type - DICOM master list~SCT^49755003^Morphologically Abnormal Structure~"
    "SCT^108369006^Neoplasm~^^~Anatomic codes - DICOM master list~^^~^^"
)
#: What of a grid is not known.
PIXEL_KEY, PIXEL_TEXT = "lesionflow-spacing", "unknown: one pixel is called 1 mm"


def write_named_segments(path: Path, mask: Mask, segments: Mapping[str, int], texts: Mapping[str, str]) -> None:
    """Write a mask as NRRD uint8, gzipped inside. The same mask and texts give the same bytes.

    Args:
        path: A `.nrrd` file.
        mask: What to write.
        segments: The label of each segment by its name; voxels of no segment are written too, unnamed.
        texts: What else stands in the header, by key: any characters.
    """
    lines = ["NRRD0004", *_grid(mask.geometry), *(f"{_escaped(k)}:={_escaped(v)}" for k, v in texts.items())]
    if not mask.geometry.spacing_known:
        lines.append(f"{PIXEL_KEY}:={PIXEL_TEXT}")
    for number, (name, label) in enumerate(segments.items()):
        lines += _segment(number, name, label, mask.labels)
    lines += [
        "Segmentation_ContainedRepresentationNames:=Binary labelmap|",
        "Segmentation_ConversionParameters:=",
        # What Slicer before 5.2 calls it, and what it has been called since.
        "Segmentation_MasterRepresentation:=Binary labelmap",
        "Segmentation_SourceRepresentation:=Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset:=0 0 0",
    ]
    header = "\n".join(lines).encode()
    voxels = np.ascontiguousarray(mask.labels, np.uint8)
    with replacing_file(path) as partial, partial.open("wb") as file:
        file.write(header + b"\n\n")
        # Without name and time.
        file.write(igzip.compress(voxels.tobytes(), COMPRESSION_LEVEL, mtime=0))


def read_named_segments(path: Path, *, name: str) -> Mask:
    """Read such a mask, whatever its file is called.

    Args:
        path: The file.
        name: What to call it in messages.

    Raises:
        InputError: As `itk.read`; `not_a_mask` when voxels are no labels.
    """
    from lesionflow.errors import InputError
    from lesionflow.io.images import itk

    with _called_nrrd(path) as named:
        channels, geometry = itk.read(named, name)
    if len(channels) != 1 or channels[0].dtype != np.uint8:
        found = f"{len(channels)} channels of {channels[0].dtype}"
        raise InputError(f"Expected one layer of 8-bit labels in {name}, found {found}.", reason="not_a_mask")
    return Mask(np.ascontiguousarray(channels[0]), geometry)


def read_header_text(path: Path, key: str) -> str:
    """Return what stands in a NRRD's header under a key of its writer's own; empty where nothing does.

    Args:
        path: The file, whatever it is called.
        key: Of `texts`.
    """
    from lesionflow.io.images.plain_headers import read_texts

    with _called_nrrd(path) as named:
        try:
            return (read_texts(named) or {}).get(key, "")
        except UnicodeDecodeError:
            return ""


@contextmanager
def _called_nrrd(path: Path) -> Iterator[Path]:
    """Give a file a name by which readers know what it is."""
    with TemporaryDirectory() as folder:
        named = Path(folder) / f"mask{ENDING}"
        named.symlink_to(path.resolve())
        yield named


def _grid(geometry: Geometry) -> list[str]:
    # NRRD counts the fastest axis first: (column, row, slice).
    columns = geometry.affine[:3, [2, 1, 0]].T
    units = ['space units: "mm" "mm" "mm"'] if geometry.spacing_known else []
    return [
        "type: uint8",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(str(n) for n in geometry.shape[::-1])}",
        f"space directions: {' '.join(_vector(column) for column in columns)}",
        "kinds: domain domain domain",
        "encoding: gzip",
        f"space origin: {_vector(geometry.affine[:3, 3])}",
        *units,
    ]


def _vector(values: NDArray[np.float64]) -> str:
    # Adding 0 makes 0.0 of -0.0.
    return f"({','.join(repr(float(value) + 0.0) for value in values)})"


def _segment(number: int, name: str, value: int, labels: NDArray[np.uint8]) -> list[str]:
    told = {
        "ID": f"Segment_{number + 1}",
        "Name": _escaped(name),
        "NameAutoGenerated": "0",
        "Color": " ".join(map(str, COLORS[number % len(COLORS)])),
        "ColorAutoGenerated": "0",
        "LabelValue": str(value),
        "Layer": "0",
        "Extent": _extent(labels == value),
        "Tags": f"Segmentation.Status:inprogress|TerminologyEntry:{TERMINOLOGY}|",
    }
    return [f"Segment{number}_{field}:={text}" for field, text in told.items()]


def _extent(region: NDArray[np.bool_]) -> str:
    """Return the first and last voxel along (x, y, z); Slicer's way of nothing at all is a last one before the first."""
    along = [np.flatnonzero(region.any(axis=others)) for others in ((0, 1), (0, 2), (1, 2))]
    return " ".join(f"{found[0]} {found[-1]}" if len(found) else "0 -1" for found in along)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", " ")
