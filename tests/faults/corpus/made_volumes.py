"""One small CT and its mask, written as NIfTI, NRRD or MetaImage in any way; their truth by hand.

x runs in 6 columns of 2 mm, y in 5 rows of 3 mm, z in 4 slices of 4 mm; the first voxel lies 10 mm left of the middle, 20 mm
to the front, 30 mm up: (10, 20, 30) in RAS, (-10, -20, 30) in LPS. A voxel's value is 100 z + 10 y + x - 200 HU. The mask is
columns 1-2, rows 2-3, slices 1-2: 8 voxels about (1.5, 2.5, 1.5), which lies at (13, 27.5, 36) in RAS.
"""

import gzip
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage

from faults.corpus.fault import Right, Sent

AFFINE = np.array([[2.0, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30], [0, 0, 0, 1]])
_X, _Y, _Z = np.ogrid[:6, :5, :4]
HU = (100 * _Z + 10 * _Y + _X - 200).astype(np.int16)
MARKED = np.zeros(HU.shape, np.uint8)
MARKED[1:3, 2:4, 1:3] = 1

#: Column 3, row 4, slice 2 lies at (16, 32, 38) in RAS and has 200 + 40 + 3 - 200 HU.
AT = ((-16.0, -32.0, 38.0), 43.0)
READ = Right(voxels={"tumor": 8}, value_at=AT, centroid_mm=(-13.0, -27.5, 36.0), n_cases=1, rejected=())
SENT = Sent({"CT": "case1.nii.gz"}, shape=(4, 5, 6), value_at=AT)

#: Where fields of a NIfTI-1 header begin.
DIM, DATATYPE, PIXDIM, VOX_OFFSET, SLOPE, UNITS = 40, 70, 76, 108, 112, 123
QFORM_CODE, SFORM_CODE, SROW_X = 252, 254, 280
Edit = tuple[object, ...]


def refused(*reasons: str) -> Right:
    """Nothing may be accepted, by one of these reasons."""
    return Right(refused=reasons)


def not_sent(*reasons: str) -> Sent:
    """Both `predict` and the service must refuse the image."""
    return Sent({"CT": "case1.nii.gz"}, refused=reasons)


def noted(code: str) -> Right:
    """Read right, and said."""
    return Right(**{**READ.__dict__, "notes": (code,)})


def image(voxels: np.ndarray = HU, affine: np.ndarray = AFFINE, *, codes: tuple[int, int] = (1, 1)) -> SpatialImage:
    """Return a NIfTI image whose qform and sform both say the affine, with these codes."""
    made = nib.Nifti1Image(voxels, affine)
    made.set_qform(affine, codes[0])
    made.set_sform(affine, codes[1])
    return made


def mask(voxels: np.ndarray = MARKED, affine: np.ndarray = AFFINE) -> SpatialImage:
    """Return the mask as NIfTI."""
    return image(voxels, affine)


def nifti(
    ct: SpatialImage | None = None,
    marked: SpatialImage | None = None,
    *,
    edits: Sequence[Edit] = (),
    mask_edits: Sequence[Edit] | None = None,
) -> Callable[[Path], None]:
    """Return what writes `case1.nii.gz` and `case1_seg.nii.gz`.

    Args:
        ct: The image; else the one above.
        marked: The mask; else the one above.
        edits: (place in the header, struct's format, values) of both, or of the image alone where `mask_edits` is given.
        mask_edits: The same of the mask.
    """

    def make(folder: Path) -> None:
        for name, content, changes in (
            ("case1", ct or image(), edits),
            ("case1_seg", marked or mask(), edits if mask_edits is None else mask_edits),
        ):
            written = bytearray(content.to_bytes())
            for place, form, *values in changes:
                struct.pack_into(form, written, place, *values)
            (folder / f"{name}.nii.gz").write_bytes(gzip.compress(bytes(written), 1, mtime=0))

    return make


NRRD_HEAD: Mapping[str, str] = {
    "space": "left-posterior-superior",
    "space directions": "(-2,0,0) (0,-3,0) (0,0,4)",
    "space origin": "(-10,-20,30)",
}


def nrrd(head: Mapping[str, str | None] | None = None, voxels: np.ndarray = HU) -> Callable[[Path], None]:
    """Return what writes `case1.nrrd` and `case1_seg.nrrd`, their headers word by word."""

    def make(folder: Path) -> None:
        write_nrrd(folder / "case1.nrrd", voxels, head)
        write_nrrd(folder / "case1_seg.nrrd", MARKED, head if voxels.ndim == MARKED.ndim else None)

    return make


def write_nrrd(path: Path, voxels: np.ndarray, head: Mapping[str, str | None] | None = None) -> None:
    """Write one NRRD file; the first axis of `voxels` runs fastest."""
    kind = {"i2": "short", "u1": "uchar"}[voxels.dtype.str[1:]]
    said = {"type": kind, "dimension": str(voxels.ndim), "sizes": " ".join(map(str, voxels.shape))}
    said |= {"endian": "little", "encoding": "raw"} | {k: v for k, v in (NRRD_HEAD | (head or {})).items() if v}
    text = "NRRD0005\n" + "".join(f"{key}: {value}\n" for key, value in said.items()) + "\n"
    path.write_bytes(text.encode() + voxels.tobytes(order="F"))


def mha(**changes: str) -> Callable[[Path], None]:
    """Return what writes `case1.mha` and `case1_seg.mha`, their headers word by word."""

    def make(folder: Path) -> None:
        for name, voxels, kind in (("case1", HU, "MET_SHORT"), ("case1_seg", MARKED, "MET_UCHAR")):
            head = {
                "ObjectType": "Image",
                "NDims": "3",
                "BinaryData": "True",
                "BinaryDataByteOrderMSB": "False",
                "TransformMatrix": "-1 0 0 0 -1 0 0 0 1",
                "Offset": "-10 -20 30",
                "ElementSpacing": "2 3 4",
                "DimSize": "6 5 4",
                "ElementType": kind,
            } | changes
            text = "".join(f"{key} = {value}\n" for key, value in head.items()) + "ElementDataFile = LOCAL\n"
            (folder / f"{name}.mha").write_bytes(text.encode() + voxels.tobytes(order="F"))

    return make
