"""Voxels that are more, or begin elsewhere, than a header says."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from faults.corpus.fault import Fault, Sent
from faults.corpus.made_volumes import (
    AT,
    DATATYPE,
    DIM,
    HU,
    MARKED,
    READ,
    SENT,
    SFORM_CODE,
    nifti,
    not_sent,
    noted,
    refused,
    write_nrrd,
)

NRRD = Sent({"CT": "case1.nrrd"}, shape=(4, 5, 6), value_at=AT)
#: Half a turn about z from the first voxel, 10 mm right and 20 mm to the front: columns and rows run to the left and to the back.
TURNED_AT = ((-4.0, -8.0, 38.0), 43.0)
#: NIfTI-1's code and bits of bytes with a sign.
AS_BYTES = (DATATYPE, "<hh", 256, 8)
META = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "TransformMatrix": "-1 0 0 0 -1 0 0 0 1",
    "Offset": "-10 -20 30",
    "ElementSpacing": "2 3 4",
    "DimSize": "6 5 4",
}


def _unpacked(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def plain(folder: Path) -> None:
        make(folder)
        for path in list(folder.glob("*.gz")):
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()

    return plain


def _misnamed(folder: Path) -> None:
    _unpacked(nifti())(folder)
    for path in list(folder.glob("*.nii")):
        path.rename(f"{path}.gz")


def _nrrd(encoding: str, before: bytes = b"", behind: bytes = b"", **head: str) -> Callable[[Path], None]:
    """Write the image with bytes before and behind its voxels, packed with them."""

    def make(folder: Path) -> None:
        write_nrrd(folder / "case1_seg.nrrd", MARKED)
        write_nrrd(
            folder / "case1.nrrd", HU, {"encoding": encoding} | {k.replace("_", " "): v for k, v in head.items()}
        )
        start, _, voxels = (folder / "case1.nrrd").read_bytes().partition(b"\n\n")
        content = before + voxels + behind
        packed = gzip.compress(content, mtime=0) if encoding == "gzip" else content
        (folder / "case1.nrrd").write_bytes(start + b"\n\n" + packed)

    return make


def _meta(element: str, before: bytes = b"", **head: str) -> Callable[[Path], None]:
    """Write the image as a MetaImage whose voxels lie in a file of their own, said to be of a type."""

    def make(folder: Path) -> None:
        for name, kind, voxels in (
            ("case1", element, before + HU.tobytes(order="F")),
            ("case1_seg", "MET_UCHAR", None),
        ):
            fields = META | {"ElementType": kind} | (head if voxels else {}) | {"ElementDataFile": f"{name}.raw"}
            (folder / f"{name}.mhd").write_text("".join(f"{key} = {value}\n" for key, value in fields.items()))
            (folder / f"{name}.raw").write_bytes(voxels or MARKED.tobytes(order="F"))

    return make


def _detached(folder: Path) -> None:
    """As teem writes a header whose voxels lie beside it."""
    for name, voxels in (("case1", HU), ("case1_seg", MARKED)):
        path = folder / f"{name}.nrrd"
        write_nrrd(path, voxels)
        head, _, content = path.read_bytes().partition(b"\n\n")
        path.unlink()
        (folder / f"{name}.raw").write_bytes(content)
        path.with_suffix(".nhdr").write_bytes(head + f"\ndata file: ./{name}.raw\n".encode())


FAULTS = (
    Fault(
        "nifti-whose-type-is-half-of-what-is-stored",
        "",
        "The header says bytes where two a voxel are stored: every second number was half of one.",
        "Refused: `unreadable_nifti`, as half of the file would be left.",
        nifti(edits=(AS_BYTES,), mask_edits=()),
        refused("unreadable_nifti"),
        not_sent("unreadable_nifti"),
    ),
    Fault(
        "nifti-not-packed-whose-type-is-half-of-what-is-stored",
        "",
        "The same in a file that is not packed.",
        "Refused: `unreadable_nifti`.",
        _unpacked(nifti(edits=(AS_BYTES,), mask_edits=())),
        refused("unreadable_nifti"),
        Sent({"CT": "case1.nii"}, refused=("unreadable_nifti",)),
    ),
    Fault(
        "nifti-with-fewer-slices-than-are-stored",
        "mh-cad/vistarsier#26",
        "The size of an axis in the header was another than the file's: viewers disagreed on what is in it.",
        "Refused: `unreadable_nifti`, as a slice would be left.",
        nifti(edits=((DIM + 6, "<h", 3),)),
        refused("unreadable_nifti"),
        not_sent("unreadable_nifti"),
    ),
    Fault(
        "nifti-called-gz-and-not-packed",
        "nibabel#898",
        "A file called `.nii.gz` is not packed: one program opens it, the next can't.",
        "Refused: `unreadable_nifti`. Over HTTP it is read: the service goes by content.",
        _misnamed,
        refused("unreadable_nifti"),
    ),
    Fault(
        "nrrd-with-more-than-its-header-says",
        "TIGRLab/admin#349",
        "A reader warned that the file goes on behind its voxels, and went on.",
        "Refused: `unreadable_image`, where a slice or more is left.",
        _nrrd("raw", behind=HU.tobytes()),
        refused("unreadable_image"),
        Sent({"CT": "case1.nrrd"}, refused=("unreadable_image",)),
    ),
    Fault(
        "nrrd-packed-with-more-than-its-header-says",
        "TIGRLab/admin#349",
        "The same, packed.",
        "Refused: `unreadable_image`.",
        _nrrd("gzip", behind=HU.tobytes()),
        refused("unreadable_image"),
        Sent({"CT": "case1.nrrd"}, refused=("unreadable_image",)),
    ),
    Fault(
        "nrrd-that-begins-where-its-end-says",
        "mhe/pynrrd#70",
        "`byte skip: -1` says that voxels are the last bytes of the file; a reader took -1 for a place.",
        "Read from the end.",
        _nrrd("raw", before=b"\x01" * 8, byte_skip="-1"),
        READ,
        NRRD,
    ),
    Fault(
        "nrrd-packed-with-bytes-to-skip",
        "mhe/pynrrd#70",
        "Bytes to be skipped were those before unpacking for one reader, those after it for the next.",
        "Skipped after unpacking, as the format says.",
        _nrrd("gzip", before=b"\x01" * 8, byte_skip="8"),
        READ,
        NRRD,
    ),
    Fault(
        "nrrd-whose-voxels-lie-beside-it-with-a-dot",
        "",
        "teem writes `./` before the name of the file that holds the voxels.",
        "Read: it is the header's own folder.",
        _detached,
        READ,
    ),
    Fault(
        "metaimage-whose-type-is-half-of-what-is-stored",
        "",
        "The header says bytes where two a voxel are stored.",
        "Refused: `unreadable_image`.",
        _meta("MET_CHAR"),
        refused("unreadable_image"),
    ),
    Fault(
        "metaimage-that-begins-where-its-end-says",
        "BioMedIA/deepali#148",
        "`HeaderSize = -1` says that voxels are the last bytes of the file; a reader failed on it.",
        "Read from the end.",
        _meta("MET_SHORT", before=bytes(100), HeaderSize="-1"),
        READ,
    ),
    Fault(
        "nifti-whose-qform-is-none",
        "fmriprep#845",
        "A quaternion that no rotation has stopped the reading, though the sform says where voxels lie.",
        "Read by the sform, and said (`qform_without_rotation`).",
        nifti(edits=((256, "<fff", 1.0, 1.0, 0.0),)),
        noted("qform_without_rotation"),
        replace(SENT, says="qform"),
    ),
    Fault(
        "nifti-placed-by-a-qform-that-is-none",
        "fmriprep#845",
        "The same without a sform: no program can know where voxels lie.",
        "Refused: `unreadable_nifti`.",
        nifti(edits=((256, "<fff", 1.0, 1.0, 0.0), (SFORM_CODE, "<h", 0))),
        refused("unreadable_nifti"),
        not_sent("unreadable_nifti"),
    ),
    Fault(
        "nifti-whose-qform-is-off-by-rounding",
        "spinalcordtoolbox#3703",
        "A quaternion longer than 1 by less than a millionth, as rounding leaves it, stopped the reading.",
        "Read: it is the rotation next to it.",
        nifti(edits=((256, "<fff", 0.0, 0.0, 1.0000003), (SFORM_CODE, "<h", 0))),
        replace(READ, value_at=TURNED_AT, centroid_mm=(-7.0, -12.5, 36.0)),
        replace(SENT, value_at=TURNED_AT),
    ),
)
