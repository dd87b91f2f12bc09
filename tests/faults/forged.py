"""Two hundred small files whose headers claim what would cost hours or terabytes, by name: each written into an empty folder."""

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian

from support.dicom_factory import AXIAL, write_multiframe, write_rtstruct, write_segmentation, write_series

Forgery = Callable[[Path], object]
#: No voxel has such a size, or a volume of such voxels fits no building.
SPACINGS = (2000.0, 400.0, 150.0, 1e5, 1e12, 1e-5, 1e-6, 1e-9, 1e-12)
LARGE = ((2000, 2000, 2000), (30000, 30000, 3), (800, 800, 800), (32767, 32767, 32767), (1200, 1100, 1000))
CONTOUR_DATA = 0x30060050
SQUARE = [(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)]


def set_all(data: Dataset, _: int = 0, **values: object) -> None:
    for name, value in values.items():
        setattr(data, name, value)


def series(folder: Path, **values: object) -> None:
    write_series(folder / "CT", change=partial(set_all, **values))


def far_apart(folder: Path, step_mm: float) -> None:
    def change(data: Dataset, k: int) -> None:
        data.ImagePositionPatient = ["0", "0", f"{k * step_mm:.9g}"]

    write_series(folder / "CT", orientation=AXIAL, change=change)


def origin(folder: Path, where: float) -> None:
    def change(data: Dataset, k: int) -> None:
        data.ImagePositionPatient = [f"{where:.9g}", "0", f"{k}"]

    write_series(folder / "CT", orientation=AXIAL, change=change)


def frames(folder: Path, **values: object) -> None:
    def change(data: Dataset) -> None:
        for name, value in values.items():
            if name in {"PixelSpacing", "SliceThickness"}:
                setattr(data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0], name, value)
            else:
                setattr(data, name, value)

    write_multiframe(folder / "e.dcm", change=change)


def nifti(folder: Path, shape=(5, 7, 11), dtype=np.uint8, spacing=(1.0, 1.0, 1.0), unit: str = "mm") -> None:
    image = nib.Nifti1Image(np.zeros((1, 1, 1), dtype), np.diag([*spacing, 1.0]))
    image.set_data_dtype(dtype)
    image.header.set_xyzt_units(unit)
    image.header["dim"] = [3, *shape, 1, 1, 1, 1]
    image.header["vox_offset"], image.header["magic"] = 352, b"n+1"
    image.header.set_sform(np.diag([*spacing, 1.0]), code=1)
    image.header["qform_code"] = 0
    image.header["pixdim"][1:4] = spacing
    # As many zeros as a megabyte of file holds, and no more than are claimed.
    n_bytes = min(int(np.prod(shape, dtype=float)) * np.dtype(dtype).itemsize, 600 << 20)
    members = gzip.compress(bytes(1 << 20), 9, mtime=0) * (n_bytes >> 20) + gzip.compress(bytes(n_bytes % (1 << 20)))
    (folder / "a.nii.gz").write_bytes(gzip.compress(bytes(image.header.binaryblock) + bytes(4), mtime=0) + members)


def nrrd(folder: Path, sizes="11 7 5", spacing="1", kind="short", encoding="gzip", name="a.nrrd") -> None:
    head = (
        f"NRRD0004\ntype: {kind}\ndimension: 3\nspace: left-posterior-superior\nsizes: {sizes}\n"
        f"space directions: ({spacing},0,0) (0,{spacing},0) (0,0,{spacing})\nspace origin: (0,0,0)\nendian: little\n"
        f"encoding: {encoding}\n\n"
    )
    content = bytes(5 * 7 * 11 * 2)
    (folder / name).write_bytes(head.encode() + (gzip.compress(content) if encoding == "gzip" else content))


def mha(folder: Path, sizes="11 7 5", spacing="1 1 1", packed="True", kind="MET_SHORT") -> None:
    content = bytes(5 * 7 * 11 * 2)
    body = zlib.compress(content) if packed == "True" else content
    head = (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = {packed}\n"
        f"TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = {spacing}\nDimSize = {sizes}\n"
        f"ElementType = {kind}\nElementDataFile = LOCAL\n"
    )
    (folder / "a.mha").write_bytes(head.encode() + body)


def png(folder: Path, width: int, height: int, depth: int = 8, color: int = 0) -> None:
    body = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = ((b"IHDR", body), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    packed = (struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks)
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


def whole_png(folder: Path, side: int) -> None:
    """All there, and all of it black: 64 million pixels in 60 kB."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes((side + 1) * 64)) for _ in range(side // 64)) + packer.flush()
    body = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", body), (b"IDAT", rows), (b"IEND", b""))
    packed = (struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks)
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


def tiff(folder: Path, width: int, height: int, bits: int = 8, compression: int = 1, samples: int = 1) -> None:
    tags = (
        (256, width),
        (257, height),
        (258, bits),
        (259, compression),
        (262, 1),
        (273, 8),
        (277, samples),
        (278, height),
        (279, 100),
    )
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    (folder / "a.tif").write_bytes(
        struct.pack("<2sHI", b"II", 42, 108) + bytes(100) + struct.pack("<H", len(tags)) + entries + bytes(4)
    )


def segmentation(folder: Path, **values: object) -> None:
    made = write_series(folder / "CT")
    write_segmentation(folder / "seg.dcm", made, {"GTV": np.ones((5, 7, 11), bool)}, change=partial(set_all, **values))


def contour(folder: Path, text: bytes) -> None:
    """Write a contour whose numbers are this text: implicit, as longer values than 64 kB must be."""

    def change(data: Dataset) -> None:
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        item = data.ROIContourSequence[0].ContourSequence[0]
        item.NumberOfContourPoints = (text.count(b"\\") + 1) // 3
        padded = text + b" " * (len(text) % 2)
        item[CONTOUR_DATA] = RawDataElement(Tag(CONTOUR_DATA), "DS", len(padded), padded, 0, True, True)

    made = write_series(folder / "CT", orientation=AXIAL, spacing_mm=(3.0, 1.0, 1.0), origin_mm=(0.0, 0.0, 0.0))
    write_rtstruct(folder / "rs.dcm", made, {"GTV": [(1, SQUARE)]}, change=change)


def text_of(points) -> bytes:
    return "\\".join(f"{x:.4g}\\{y:.4g}\\3" for x, y in points).encode()


def announced_points(folder: Path, told: int) -> None:
    def change(data: Dataset) -> None:
        data.ROIContourSequence[0].ContourSequence[0].NumberOfContourPoints = told

    made = write_series(folder / "CT")
    write_rtstruct(folder / "rs.dcm", made, {"GTV": [(1, SQUARE)]}, change=change)


def declared(folder: Path, content: str) -> None:
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir()
    for path in (folder / "imagesTr" / "a_0000.nii.gz", folder / "labelsTr" / "a.nii.gz"):
        nib.save(nib.Nifti1Image(np.zeros((5, 7, 11), np.uint8), np.eye(4)), path)
    (folder / "dataset.json").write_text(content)


def _spacings() -> dict[str, Forgery]:
    made: dict[str, Forgery] = {}
    for mm in SPACINGS:
        text = f"{mm:.10g}"
        made[f"dicom pixels of {text} mm"] = partial(series, PixelSpacing=[text, text])
        made[f"dicom rows of {text} mm"] = partial(series, PixelSpacing=[text, "0.5"])
        made[f"dicom slices {text} mm apart"] = partial(far_apart, step_mm=mm)
        made[f"enhanced pixels of {text} mm"] = partial(frames, PixelSpacing=[text, text])
        made[f"nifti {text} mm"] = partial(nifti, spacing=(mm, mm, mm))
        made[f"nifti {text} mm slices"] = partial(nifti, spacing=(1.0, 1.0, mm))
        made[f"nrrd {text} mm"] = partial(nrrd, spacing=text)
        made[f"mha {text} mm"] = partial(mha, spacing=f"{text} {text} {text}")
        made[f"mha {text} mm slices"] = partial(mha, spacing=f"1 1 {text}", packed="False")
    for text in ("1e300", "9e99", "1e-300"):
        made[f"dicom pixels of {text} mm"] = partial(series, PixelSpacing=[text, text])
        made[f"nrrd {text} mm"] = partial(nrrd, spacing=text)
        made[f"mha {text} mm"] = partial(mha, spacing=f"{text} 1 1")
    return made


def _dicom_sizes() -> dict[str, Forgery]:
    made: dict[str, Forgery] = {}
    for rows, columns in ((65535, 65535), (65535, 1), (40000, 40000), (9000, 9000)):
        made[f"dicom of {rows} x {columns}"] = partial(series, Rows=rows, Columns=columns)
        made[f"enhanced of {rows} x {columns}"] = partial(frames, Rows=rows, Columns=columns)
        made[f"seg of {rows} x {columns}"] = partial(segmentation, Rows=rows, Columns=columns)
    for n in (2**31 - 1, 10**6, 70_000, 6):
        made[f"dicom of {n} frames"] = partial(series, NumberOfFrames=n)
        made[f"enhanced of {n} frames"] = partial(frames, NumberOfFrames=n)
        made[f"seg of {n} frames"] = partial(segmentation, NumberOfFrames=n)
    for bits in (64, 32, 65535):
        made[f"dicom of {bits} bits"] = partial(series, BitsAllocated=bits)
    for where in (1e12, 1e15, -1e9, 1e7):
        made[f"dicom at {where:g} mm"] = partial(origin, where=where)
    return made


def _volume_sizes() -> dict[str, Forgery]:
    made: dict[str, Forgery] = {}
    for shape, dtype in product(LARGE, (np.uint8, np.int16, np.float64)):
        made[f"nifti of {shape} {np.dtype(dtype).name}"] = partial(nifti, shape=shape, dtype=dtype)
    for shape, unit in product(((5, 7, 11), (100, 90, 80)), ("meter",)):
        made[f"nifti of {shape} in {unit}s"] = partial(nifti, shape=shape, unit=unit)
    for sizes, kind in product(
        ("9999 9999 9999", "65536 65536 65536", "800 800 800", "512 512 500"), ("short", "double", "uchar")
    ):
        for encoding in ("gzip", "raw"):
            made[f"nrrd of {sizes} {kind} {encoding}"] = partial(nrrd, sizes=sizes, kind=kind, encoding=encoding)
    for sizes, kind in product(
        ("9999 9999 9999", "65536 65536 65536", "800 800 800", "512 512 500"), ("MET_SHORT", "MET_DOUBLE", "MET_UCHAR")
    ):
        for packed in ("True", "False"):
            made[f"mha of {sizes} {kind} {packed}"] = partial(mha, sizes=sizes, packed=packed, kind=kind)
    return made


def _pictures() -> dict[str, Forgery]:
    made: dict[str, Forgery] = {}
    for (width, height), (depth, color) in product(
        ((9000, 9000), (60_000, 60_000), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1)), ((8, 0), (8, 6), (16, 2))
    ):
        made[f"png of {width} x {height}, {depth} bits, colors {color}"] = partial(
            png, width=width, height=height, depth=depth, color=color
        )
    made["png of 8192 x 8192 black pixels"] = partial(whole_png, side=8192)
    for (width, height), bits in product(
        ((9000, 9000), (60_000, 60_000), (2**32 - 1, 2**32 - 1), (2**32 - 1, 1)), (8, 16, 64)
    ):
        made[f"tiff of {width} x {height}, {bits} bits"] = partial(tiff, width=width, height=height, bits=bits)
    made["tiff of 65535 samples"] = partial(tiff, width=500, height=500, samples=65535)
    return made


def _outlines() -> dict[str, Forgery]:
    made: dict[str, Forgery] = {}
    for n in (300_000,):
        made[f"rtstruct contour of {n} points"] = partial(contour, text=b"\\".join([b"0"] * (3 * n)))
    for told in (2**31 - 1, 10**9):
        made[f"rtstruct that announces {told} points"] = partial(announced_points, told=told)
    wide = [(-1e15, -1e15), (-1e15, 1e15), (1e15, 0)]
    made["rtstruct contour a light year wide"] = partial(contour, text=text_of(wide))
    made["json nested deep"] = partial(declared, content="[" * 100_000)
    made["json of objects nested deep"] = partial(declared, content='{"labels":' * 100_000)
    made["json of 20 MB"] = partial(
        declared, content=json.dumps({"labels": {"x" * 20_000_000: 1}, "channel_names": {"0": "CT"}})
    )
    made["json of a number of 100,000 digits"] = partial(declared, content='{"labels": {"a": ' + "9" * 100_000 + "}}")
    return made


#: By what they claim.
FORGED = _spacings() | _dicom_sizes() | _volume_sizes() | _pictures() | _outlines()
#: Claims that cost nothing, so that they may be read.
HARMLESS = ("dicom of 6 frames", "rtstruct that announces", "nifti of (5, 7, 11) in", "dicom of 32 bits")
