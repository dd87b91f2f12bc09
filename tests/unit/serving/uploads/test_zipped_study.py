"""Zips that mean well, and zips that do not."""

import io
import stat
import struct
import zipfile

import pytest

from lesionflow.errors import InputError
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.uploads.zipped_study import unpack_upload


def write_zip(path, entries, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "out"
    made.mkdir()
    return made


def refusal(archive, folder, *, max_mb=10, max_files=100):
    with pytest.raises((InputError, RequestRefusedError)) as error:
        unpack_upload(archive, folder, max_mb=max_mb, max_files=max_files)
    return getattr(error.value, "reason", None) or error.value.code


def test_files_come_out_flat_and_whole_without_clutter(tmp_path, folder):
    entries = [
        ("study/ser 1/IM0001", b"a" * 70_000),
        ("study/ser2/IM0001", b"b"),
        ("__MACOSX/study/._IM0001", b"x"),
        ("study/.DS_Store", b"x"),
        ("study/empty/", b""),
    ]
    files = unpack_upload(write_zip(tmp_path / "s.zip", entries), folder, max_mb=1, max_files=2)
    assert [(f.name, f.read_bytes()) for f in files] == [("000000-IM0001", b"a" * 70_000), ("000001-IM0001", b"b")]
    assert sorted(folder.iterdir()) == files


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:\\evil", "a/.."])
def test_a_path_out_of_the_folder_is_refused(tmp_path, folder, name):
    assert refusal(write_zip(tmp_path / "s.zip", [("ok", b"x"), (name, b"x")]), folder) == "unsafe_path"
    assert list(folder.iterdir()) == []


def test_a_link_is_refused(tmp_path, folder):
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    assert refusal(write_zip(tmp_path / "s.zip", [(link, b"/etc/passwd")]), folder) == "unsafe_path"


def test_a_bomb_is_stopped_by_the_bytes_that_come_out(tmp_path, folder):
    archive = write_zip(tmp_path / "s.zip", [("bomb", bytes(30_000_000))])
    assert archive.stat().st_size < 100_000
    assert refusal(archive, folder, max_mb=2) == "unpacked_too_large"
    assert sum(f.stat().st_size for f in folder.iterdir()) <= 2_000_000


def test_a_bomb_that_lies_about_its_size_yields_no_more_than_it_claims(tmp_path, folder):
    archive = write_zip(tmp_path / "s.zip", [("bomb", bytes(30_000_000))])
    content = bytearray(archive.read_bytes())
    central = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, central + 24, 10)
    archive.write_bytes(content)
    assert refusal(archive, folder, max_mb=2) == "unreadable_zip"


def test_entries_that_share_bytes_are_refused(tmp_path, folder):
    """Two directory entries that point to one local file, as overlapping bombs do."""
    archive = write_zip(tmp_path / "s.zip", [("a", bytes(1000))])
    content = archive.read_bytes()
    central, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry = content[central:end]
    tail = bytearray(content[end:])
    struct.pack_into("<HHI", tail, 8, 2, 2, 2 * len(entry))
    archive.write_bytes(content[:central] + entry + entry + tail)
    assert refusal(archive, folder) == "zip_bomb"


def test_an_encrypted_entry_is_refused(tmp_path, folder):
    archive = write_zip(tmp_path / "s.zip", [("a", b"x")])
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert refusal(archive, folder) == "encrypted_zip"


def test_too_many_files_are_refused(tmp_path, folder):
    assert refusal(write_zip(tmp_path / "s.zip", [(str(i), b"") for i in range(4)]), folder, max_files=3) == (
        "too_many_files"
    )


def test_a_huge_table_of_contents_is_refused_unread(tmp_path, folder):
    archive = write_zip(tmp_path / "s.zip", [("a", b"x")])
    content = bytearray(archive.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\x05\x06") + 12, 0x40000000)
    archive.write_bytes(content)
    assert refusal(archive, folder) == "too_many_files"


def zipped(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a", content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x00" * 1000, "not_a_zip"),
        (b"http://127.0.0.1/study.zip", "not_a_zip"),
        (zipped(b"x" * 1000)[:-40], "unreadable_zip"),
        (zipped(b"x" * 1000).replace(b"xxx", b"xyx", 1), "unreadable_zip"),
        (zipped(b"")[-22:].replace(b"\x01", b"\x00"), "unreadable_zip"),
    ],
)
def test_broken_zips_have_named_reasons(tmp_path, folder, content, reason):
    archive = tmp_path / "s.zip"
    archive.write_bytes(content)
    assert refusal(archive, folder) == reason


@pytest.mark.parametrize("entries", [[], [("folder/", b"")], [("__MACOSX/._a", b"x")]])
def test_a_zip_without_files_is_refused(tmp_path, folder, entries):
    assert refusal(write_zip(tmp_path / "s.zip", entries), folder) == "empty_study"
