"""Small files that claim much, and paths that lead elsewhere: refused by name, within 256 MB more than before."""

import gzip
import io
import os
import resource
import struct
import traceback
import zipfile
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lesionflow.errors import InputError
from lesionflow.io import archives
from lesionflow.io.dicom.reading import read_dicom_file
from lesionflow.io.dicom.series import read_series
from lesionflow.io.dicom.sorting import scan
from lesionflow.io.files import find_files
from lesionflow.io.images import image_files
from lesionflow.io.layouts.image_folders import find_volumes

LIMIT_BYTES = 256 << 20


def within_memory(call):
    """Run in a child that may take 256 MB more than it has; return the reason of the refusal.

    More than that is a MemoryError, which the readers know by another name than the reasons expected here.
    """
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + LIMIT_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            try:
                call()
                outcome = "read"
            except InputError as error:
                outcome = error.reason
            except BaseException:  # noqa: BLE001 told to the parent, which expects a reason
                outcome = traceback.format_exc()
            os.write(writing, outcome.encode()[:4000])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        outcome = said.read()
    os.waitpid(child, 0)
    return outcome


def nifti_header(shape, dtype=np.uint8, **fields):
    image = nib.Nifti1Image(np.zeros((1, 1, 1), dtype), np.eye(4))
    image.header.set_data_dtype(dtype)
    image.header["dim"] = [3, *shape, 1, 1, 1, 1]
    image.header["vox_offset"] = 352
    image.header["sform_code"] = 1
    for name, value in fields.items():
        image.header[name] = value
    image.header["magic"] = b"n+1"
    return bytes(image.header.binaryblock) + bytes(4)


def zeros_gz(n_bytes):
    """Gzip of many zeros, made quickly: one member of a megabyte, again and again."""
    return gzip.compress(bytes(1 << 20), 9, mtime=0) * (n_bytes >> 20)


class TestVolumes:
    @pytest.mark.parametrize(
        ("shape", "dtype", "n_bytes", "reason"),
        [
            # Eight billion voxels; a gigabyte of nothing in a megabyte; more than the file can hold.
            ((2000, 2000, 2000), np.uint8, 1 << 20, "oversized_image"),
            ((512, 512, 513), np.float64, 1100 << 20, "oversized_image"),
            ((512, 512, 500), np.uint8, 1 << 20, "oversized_image"),
        ],
    )
    def test_nifti(self, tmp_path, shape, dtype, n_bytes, reason):
        header = gzip.compress(nifti_header(shape, dtype), mtime=0)
        (tmp_path / "a.nii.gz").write_bytes(header + zeros_gz(n_bytes))
        assert within_memory(lambda: image_files.read_channels(tmp_path / "a.nii.gz", name="c-1")) == reason

    def test_nifti_with_a_gap_before_its_voxels(self, tmp_path):
        content = gzip.compress(nifti_header((5, 7, 11), vox_offset=2e9), mtime=0) + zeros_gz(1 << 30)
        (tmp_path / "a.nii.gz").write_bytes(content)
        assert within_memory(lambda: image_files.read_channels(tmp_path / "a.nii.gz", name="c-1")) == "oversized_image"

    def test_nifti_with_a_huge_extension(self, tmp_path):
        header = bytearray(nifti_header((5, 7, 11)))
        header[-4] = 1
        content = bytes(header) + struct.pack("<ii", 0x7FFFFFF0, 6) + bytes(5 * 7 * 11)
        (tmp_path / "a.nii").write_bytes(content)
        assert within_memory(lambda: image_files.read_channels(tmp_path / "a.nii", name="c-1")) in {
            "read",
            "unreadable_nifti",
        }

    @pytest.mark.parametrize("size", [b"9999 9999 9999", b"512 512 500"])
    def test_metaimage(self, tmp_path, size):
        SimpleITK.WriteImage(
            SimpleITK.Image(3, 4, 5, SimpleITK.sitkUInt8), str(tmp_path / "a.mha"), useCompression=True
        )
        content = (tmp_path / "a.mha").read_bytes().replace(b"DimSize = 3 4 5", b"DimSize = " + size)
        (tmp_path / "a.mha").write_bytes(content)
        assert within_memory(lambda: image_files.read_channels(tmp_path / "a.mha", name="c-1")) == "oversized_image"


class TestPictures:
    def png(self, width, height):
        body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", body), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
        packed = (struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks)
        return b"\x89PNG\r\n\x1a\n" + b"".join(packed)

    @pytest.mark.parametrize("size", [(9000, 9000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
    def test_png(self, tmp_path, size):
        (tmp_path / "a.png").write_bytes(self.png(*size))
        assert within_memory(lambda: image_files.read_channels(tmp_path / "a.png", name="c-1")) == "oversized_image"

    def test_text_that_inflates(self, tmp_path):
        out = io.BytesIO()
        Image.new("L", (4, 4)).save(out, "png")
        text = b"Comment\0\0" + zlib.compress(bytes(300 << 20), 9)
        chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
        (tmp_path / "a.png").write_bytes(out.getvalue()[:33] + chunk + out.getvalue()[33:])
        assert within_memory(lambda: image_files.read_channels(tmp_path / "a.png", name="c-1")) == "unreadable_picture"


class TestDicom:
    def test_deflated(self, tmp_path, dicom_factory):
        series = dicom_factory(change=lambda data, k: setattr(data, "PixelData", bytes(4)))
        path = series.paths[0]
        data = read_dicom_file(str(path), name="c-1")
        data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        data.save_as(path, enforce_file_format=True)
        at = path.read_bytes().index(b"1.2.840.10008.1.2.1.99")
        head = path.read_bytes()[: at + 400]
        start = 132 + 12 + struct.unpack_from("<I", head, 132 + 8)[0]
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        body = b"".join(packer.compress(bytes(1 << 20)) for _ in range(400)) + packer.flush()
        path.write_bytes(head[:start] + body)
        assert len(body) < 1 << 20
        assert within_memory(lambda: read_dicom_file(str(path), name="c-1")) == "unreadable_file"
        assert within_memory(lambda: scan([path])) == "read"

    def test_sequences_in_one_another(self, tmp_path, dicom_factory):
        def nest(data, k):
            inner = Dataset()
            for _ in range(200):
                outer = Dataset()
                outer.ReferencedStudySequence = Sequence([inner])
                inner = outer
            data.ReferencedStudySequence = Sequence([inner])

        path = dicom_factory(shape=(1, 7, 11), change=nest).paths[0]
        content = path.read_bytes()
        assert within_memory(lambda: read_series((str(path),), name="c-1")) in {"read", "unreadable_file"}
        opening = bytes.fromhex("08001011") + b"SQ\0\0\xff\xff\xff\xff" + bytes.fromhex("feff00e0ffffffff")
        at = content.index(bytes.fromhex("08001011"))
        path.write_bytes(content[:at] + opening * 50_000 + content[at:])
        assert within_memory(lambda: read_series((str(path),), name="c-1")) == "unreadable_file"
        assert within_memory(lambda: scan([path])) == "read"


class TestZips:
    def refused(self, raw):
        def call():
            with archives.opened(raw) as (_, refused):
                (study,) = refused
                raise InputError("", reason=study.fault[0])

        return within_memory(call)

    def test_a_zip_that_claims_ten_gigabytes(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(3):
                archive.writestr(str(number), bytes(1000))
        content = bytearray((tmp_path / "a.zip").read_bytes())
        at = -1
        for _ in range(3):
            at = content.index(b"PK\x01\x02", at + 1)
            struct.pack_into("<I", content, at + 24, 0xF0000000)
        (tmp_path / "a.zip").write_bytes(content)
        assert self.refused(tmp_path) == "unpacked_too_large"

    @pytest.mark.parametrize("name", ["../../evil", "/evil", "a/" * 2000 + "b"])
    def test_a_path_elsewhere_or_too_deep(self, tmp_path, name):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(name, b"x")
        assert self.refused(tmp_path) == "unsafe_path"

    def test_a_link(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            link = zipfile.ZipInfo("link")
            link.create_system, link.external_attr = 3, 0o120777 << 16
            archive.writestr(link, b"/etc/passwd")
        assert self.refused(tmp_path) == "unsafe_path"


class TestFolders:
    def test_links_in_a_circle_end(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "file").touch()
        (tmp_path / "a" / "again").symlink_to(tmp_path)
        (tmp_path / "gone").symlink_to(tmp_path / "nothing")
        assert find_files(tmp_path) == [tmp_path / "a" / "file"]

    def test_a_thousand_folders_in_one_another(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for _ in range(1200):
            Path("d").mkdir()
            os.chdir("d")
        try:
            with pytest.raises(InputError) as caught:
                find_files(tmp_path)
            assert caught.value.reason == "nested_folders"
        finally:
            # Too deep for pytest, which removes what older sessions left and would end a later one in a RecursionError.
            for _ in range(1200):
                os.chdir("..")
                Path("d").rmdir()

    @pytest.mark.parametrize("named", ["/etc/hostname", "../b.raw", "LIST", "s%03d.raw 1 9 1"])
    def test_a_header_that_names_another_place_for_its_voxels(self, tmp_path, named):
        SimpleITK.WriteImage(SimpleITK.Image(3, 4, 5, SimpleITK.sitkUInt8), str(tmp_path / "a.mhd"))
        text = (tmp_path / "a.mhd").read_text().replace("a.raw", named)
        (tmp_path / "a.mhd").write_text(text)
        (source,) = find_volumes(tmp_path)
        assert source.fault[0] == "unsafe_path"

    def test_the_voxels_beside_a_header_belong_to_the_study(self, tmp_path):
        SimpleITK.WriteImage(SimpleITK.Image(3, 4, 5, SimpleITK.sitkUInt8), str(tmp_path / "a.mhd"))
        (source,) = find_volumes(tmp_path)
        assert sorted(Path(f).name for f in source.files) == ["a.mhd", "a.raw"]
        (tmp_path / "a.raw").unlink()
        (source,) = find_volumes(tmp_path)
        assert source.fault[0] == "missing_file"
