"""Bytes that were harmed on the way, and headers that would cost too much."""

import gzip
import zipfile
import zlib
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from faults.corpus.fault import CT, GRAY, Fault, Right, Sent, ingest_section
from support.dicom_factory import AXIAL, write_rtstruct, write_series

SQUARE = [(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)]
GTV = {"GTV": [(1, SQUARE), (2, SQUARE)]}
TUMOR = ingest_section(CT, {"tumor": 1})
PICTURES = ingest_section(GRAY, {"tumor": 1}, layout="auto")
#: 4 x 5 voxels on two slices, and noise around them.
VALUES = np.random.default_rng(5).integers(-900, 900, (5, 7, 11)).astype(np.int16)
LABELS = np.zeros((5, 7, 11), np.uint8)
LABELS[1:3, 1:5, 2:7] = 1


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def _nifti(path: Path, values: np.ndarray, spacing=(1.0, 1.0, 1.0)) -> Path:
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(values.T, np.diag([-spacing[2], -spacing[1], spacing[0], 1.0])), path)
    return path


def _pair(folder: Path, ending: str = ".nii.gz", spacing=(1.0, 1.0, 1.0)) -> tuple[Path, Path]:
    names = folder / "images" / f"a{ending}", folder / "masks" / f"a{ending}"
    for path, values in zip(names, (VALUES, LABELS), strict=True):
        if ending == ".nii.gz":
            _nifti(path, values, spacing)
            continue
        path.parent.mkdir()
        image = SimpleITK.GetImageFromArray(values)
        image.SetSpacing(spacing[::-1])
        SimpleITK.WriteImage(image, str(path), useCompression=True)
    return names


def _flipped_gzip(folder: Path) -> None:
    """The bit lies in the CRC itself: no voxel is another, and none may be believed."""
    for path in _pair(folder):
        _flip(path, path.stat().st_size - 6)


def _cut_gzip(folder: Path) -> None:
    for path in _pair(folder):
        path.write_bytes(path.read_bytes()[:-9])


def _padded(folder: Path) -> None:
    for path in _pair(folder):
        path.write_bytes(path.read_bytes() + bytes(700))


def _members(folder: Path) -> None:
    for path in _pair(folder):
        content = gzip.decompress(path.read_bytes())
        path.write_bytes(gzip.compress(content[:500]) + gzip.compress(content[500:]))


def _garbage(folder: Path) -> None:
    for path in _pair(folder):
        path.write_bytes(path.read_bytes() + b"<html>502 Bad Gateway</html>")


def _flipped_itk(folder: Path, ending: str) -> None:
    for path in _pair(folder, ending):
        _flip(path, path.stat().st_size - 3)


def _flipped_png(folder: Path) -> None:
    for name, values in (("images", VALUES[1] % 200), ("masks", LABELS[1] * 255)):
        path = folder / name / "a.png"
        path.parent.mkdir()
        Image.fromarray(np.kron(values, np.ones((8, 8), int)).astype(np.uint8)).save(path)
        # The last byte of the CRC of the last IDAT; 12 bytes of IEND follow.
        _flip(path, path.stat().st_size - 13)


def _flipped_tiff(folder: Path) -> None:
    for name, values in (("images", VALUES[1] % 200), ("masks", LABELS[1] * 255)):
        path = folder / name / "a.tif"
        path.parent.mkdir()
        Image.fromarray(np.kron(values, np.ones((8, 8), int)).astype(np.uint8)).save(
            path, compression="tiff_adobe_deflate"
        )
        with Image.open(path) as image:
            last = image.tag_v2[273][0] + image.tag_v2[279][0] - 1
        _flip(path, last)


def _zipped(folder: Path, *, harm: bool) -> None:
    made = folder / "made"
    series = write_series(made / "CT")
    write_rtstruct(made / "rs.dcm", series, GTV)
    path = folder / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(made.rglob("*.dcm")):
            archive.write(file, file.relative_to(made))
    for file in sorted(made.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    made.rmdir()
    if harm:
        content = path.read_bytes()
        # The comment's length of the first entry swallows the entry behind it.
        first = content.index(b"PK\x01\x02")
        second = content.index(b"PK\x01\x02", first + 1)
        third = content.index(b"PK\x01\x02", second + 1)
        _set(path, first + 32, (third - second).to_bytes(2, "little"))


def _zipped_twice(folder: Path) -> None:
    """The second entry is called as the first, in its own header and in the table of contents."""
    _zipped(folder, harm=False)
    path = folder / "study.zip"
    with zipfile.ZipFile(path) as archive:
        first, second = archive.namelist()[:2]
    path.write_bytes(path.read_bytes().replace(second.encode(), first.encode()))


def _set(path: Path, at: int, value: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + len(value)] = value
    path.write_bytes(content)


def _series(folder: Path, **values: object) -> None:
    def change(data: Dataset, _: int) -> None:
        for name, value in values.items():
            setattr(data, name, value)

    series = write_series(folder / "CT", change=change)
    write_rtstruct(folder / "rs.dcm", series, GTV)


def _cut_jpeg(folder: Path) -> None:
    def change(data: Dataset, _: int) -> None:
        data.file_meta.TransferSyntaxUID = JPEG2000Lossless
        data.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(60)])
        data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True

    series = write_series(folder / "CT", change=change)
    write_rtstruct(folder / "rs.dcm", series, GTV)


def _far_slices(folder: Path) -> None:
    series = write_series(folder / "CT", spacing_mm=(1500.0, 0.8, 0.5), orientation=AXIAL)
    write_rtstruct(folder / "rs.dcm", series, GTV)


def _hollow(folder: Path) -> None:
    """800^3 zeros, packed to half a megabyte."""
    image = nib.Nifti1Image(np.zeros((1, 1, 1), np.uint8), np.eye(4))
    image.header["dim"] = [3, 800, 800, 800, 1, 1, 1, 1]
    image.header["vox_offset"], image.header["magic"] = 352, b"n+1"
    image.header.set_sform(np.eye(4), code=1)
    head = gzip.compress(bytes(image.header.binaryblock) + bytes(4), mtime=0)
    (folder / "images").mkdir()
    (folder / "images" / "a.nii.gz").write_bytes(head + gzip.compress(bytes(1 << 20), 9, mtime=0) * 489)
    _nifti(folder / "masks" / "a.nii.gz", LABELS)


def _huge_png(folder: Path) -> None:
    head = (60_000).to_bytes(4, "big") * 2 + bytes((8, 0, 0, 0, 0))
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    packed = (len(c).to_bytes(4, "big") + kind + c + zlib.crc32(kind + c).to_bytes(4, "big") for kind, c in chunks)
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    Image.fromarray(LABELS[1]).save(folder / "a_mask.png")


def _deep(folder: Path) -> None:
    _nifti(folder / "imagesTr" / "a_0000.nii.gz", VALUES)
    _nifti(folder / "labelsTr" / "a.nii.gz", LABELS)
    (folder / "dataset.json").write_text("[" * 100_000)


IMAGE = {"CT": "images/a.nii.gz"}
#: Images and masks are both harmed, so both kinds of reading see it.
WHOLE = Right(voxels={"tumor": 40}, n_cases=1, rejected=())


def _refused(*reasons: str) -> Right:
    return Right(refused=reasons)


FAULTS: tuple[Fault, ...] = (
    Fault("gzip-with-a-wrong-crc", "wasserth/TotalSegmentator#24", "A NIfTI of a public data set has a wrong CRC, seen only by who reads its last voxel.",
          "Refused: every packed file is read to its checksum.", _flipped_gzip, _refused("unreadable_nifti"),
          Sent(IMAGE, refused=("unreadable_nifti",)), TUMOR),
    Fault("gzip-cut-off", "NifTK/NiftyNet#148", "A transfer ends before the last bytes of a NIfTI.", "Refused.", _cut_gzip,
          _refused("unreadable_nifti"), Sent(IMAGE, refused=("unreadable_nifti",)), TUMOR),
    Fault("gzip-padded-with-zeros", "pauldmccarthy/indexed_gzip#69", "Zeros behind a gzip file make readers fail.",
          "Read: tapes and block devices leave them.", _padded, WHOLE, Sent(IMAGE, shape=(5, 7, 11), maximum=float(VALUES.max())), TUMOR),
    Fault("gzip-of-several-members", "", "Parallel packers write several members in one file.", "Read whole, each by its own checksum.",
          _members, WHOLE, Sent(IMAGE, shape=(5, 7, 11), maximum=float(VALUES.max())), TUMOR),
    Fault("gzip-with-garbage-behind", "icsharpcode/SharpZipLib#116", "A proxy's page is glued to a download; some readers say nothing.",
          "Refused: what came with it can't be known.", _garbage, _refused("unreadable_nifti"), Sent(IMAGE, refused=("unreadable_nifti",)), TUMOR),
    Fault("metaimage-flipped", "Kitware/MetaIO#142", "A harmed MetaImage is read as if it were whole, with what its memory held.",
          "Refused: its Adler-32 is compared.", partial(_flipped_itk, ending=".mha"), _refused("unreadable_image"),
          Sent({"CT": "images/a.mha"}, refused=("unreadable_image",)), TUMOR),
    Fault("nrrd-flipped", "", "A flipped bit in a packed NRRD gives other voxels without a word.", "Refused: its CRC is compared.",
          partial(_flipped_itk, ending=".nrrd"), _refused("unreadable_image"), Sent({"CT": "images/a.nrrd"}, refused=("unreadable_image",)), TUMOR),
    Fault("png-with-a-wrong-crc", "python-pillow/Pillow#5800", "Pillow reads a PNG whose pixels have a wrong CRC.", "Refused.", _flipped_png,
          _refused("unreadable_picture"), Sent({"gray": "images/a.png"}, refused=("unreadable_picture",)), PICTURES, "nuclei_2d"),
    Fault("tiff-strip-flipped", "", "A TIFF's deflated strip is decoded up to its last row, not to its checksum.", "Refused.", _flipped_tiff,
          _refused("unreadable_picture"), Sent({"gray": "images/a.tif"}, refused=("unreadable_picture",)), PICTURES, "nuclei_2d"),
    Fault("zip-whole", "", "(the good zip that the next one harms)", "Read as the folder it was.", partial(_zipped, harm=False), WHOLE),
    Fault("zip-with-two-entries-of-one-name", "", "A zip holds two files of one name: the second was written over the first.",
          "Refused: which is meant can't be told.", _zipped_twice, _refused("unreadable_zip")),
    Fault("zip-that-lost-an-entry", "", "One flipped bit in a zip's table of contents hides a file: a slice, or the outline.",
          "Refused: the entries are counted.", partial(_zipped, harm=True), _refused("unreadable_zip")),
    Fault("jpeg-2000-cut-off", "uclouvain/openjpeg#789", "A compressed slice lacks its end; decoders differ in what they make of it.",
          "Refused: without a checksum the end marker alone says that nothing is missing.", _cut_jpeg, _refused("unreadable_pixels"),
          Sent("CT", refused=("unreadable_pixels",))),
    Fault("pixels-of-2000-mm", "MIC-DKFZ/nnUNet#538", "A wrong spacing makes resampling take all memory, or the mask nonsense.", "Refused at once, from the header.",
          partial(_series, PixelSpacing=["2000", "2000"]), _refused("implausible_spacing"), Sent("CT", refused=("implausible_spacing",))),
    Fault("pixels-of-a-nanometer", "", "A spacing in meters where mm are meant makes smoothing never end.", "Refused at once, from the header.",
          partial(_series, PixelSpacing=["1e-6", "1e-6"]), _refused("implausible_spacing"), Sent("CT", refused=("implausible_spacing",))),
    Fault("spacing-that-overflows", "", "A spacing of 1e300 mm overflows every product.", "Refused by name, not by a crash.",
          partial(_series, PixelSpacing=["1e300", "1e300"]), _refused("implausible_spacing"), Sent("CT", refused=("implausible_spacing",))),
    Fault("slices-a-meter-apart", "", "Slices 1.5 m apart make a volume of 6 m.", "Refused at once, from the headers.", _far_slices,
          _refused("implausible_spacing"), Sent("CT", refused=("implausible_spacing",))),
    Fault("nifti-voxels-of-400-mm", "", "A NIfTI whose voxels are 400 mm wide takes minutes to resample.", "Refused at once, from the header.",
          lambda folder: _pair(folder, spacing=(400.0, 400.0, 400.0)), _refused("implausible_spacing"), Sent(IMAGE, refused=("implausible_spacing",)), TUMOR),
    Fault("nothing-in-half-a-megabyte", "python/cpython#109858", "Some kB unpack to gigabytes of zeros.",
          "Refused: an image that packs 1000-fold holds nothing.", _hollow, _refused("oversized_image"), Sent(IMAGE, refused=("oversized_image",)), TUMOR),
    Fault("png-of-60000-pixels", "python-pillow/Pillow#674", "A PNG of a kilobyte claims 3.6 billion pixels.", "Refused at once, from the header.",
          _huge_png, _refused("oversized_image"), Sent({"gray": "a.png"}, refused=("oversized_image",)), PICTURES, "nuclei_2d"),
    Fault("json-nested-deep", "", "A declaration of 100,000 brackets ends a parser in a RecursionError.", "Refused by name.", _deep,
          _refused("broken_dataset_json"), None, TUMOR),
)  # fmt: skip
