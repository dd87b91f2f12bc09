"""Zips among the studies: read like folders, or refused each by itself."""

import io
import random
import resource
import shutil
import zipfile
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace

import pytest

from lesionflow.errors import InputError, MachineError
from lesionflow.io import archives
from lesionflow.io.archives import opened
from lesionflow.io.files import find_files


def write_zip(path, entries):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def contents(view):
    return {path.relative_to(view).as_posix(): path.read_bytes() for path in find_files(view)}


def test_a_folder_without_zips_is_itself(tmp_path):
    (tmp_path / "a").write_text("1")
    with opened(tmp_path) as (view, refused):
        assert (view, refused) == (tmp_path, [])


def test_zips_are_folders_of_their_name_beside_what_is_not_zipped(tmp_path):
    (tmp_path / "raw" / "p1").mkdir(parents=True)
    (tmp_path / "raw" / "p1" / "a").write_bytes(b"1")
    write_zip(tmp_path / "raw" / "p2.zip", [("CT/b", b"2"), ("CT/c", b"3"), ("__MACOSX/CT/._b", b"x")])
    with opened(tmp_path / "raw") as (view, refused):
        assert refused == []
        assert contents(view) == {"p1/a": b"1", "p2.zip/CT/b": b"2", "p2.zip/CT/c": b"3"}
    assert not view.exists()


def test_one_zip_is_a_folder(tmp_path):
    with opened(write_zip(tmp_path / "all.zip", [("a/b", b"2")])) as (view, _):
        assert contents(view) == {"a/b": b"2"}


def test_zips_in_zips_are_opened_three_deep(tmp_path):
    inner = write_zip(tmp_path / "3.zip", [("x", b"7")])
    for depth in (2, 1):
        inner = write_zip(tmp_path / f"{depth}.zip", [(f"{depth + 1}.zip", inner.read_bytes())])
    (tmp_path / "raw").mkdir()
    shutil.move(inner, tmp_path / "raw" / "1.zip")
    with opened(tmp_path / "raw") as (view, refused):
        assert (contents(view), refused) == ({"1.zip/2.zip/3.zip/x": b"7"}, [])
    write_zip(tmp_path / "raw" / "0.zip", [("1.zip", (tmp_path / "raw" / "1.zip").read_bytes())])
    with opened(tmp_path / "raw") as (view, refused):
        assert [(s.key, s.fault[0]) for s in refused] == [("0.zip", "nested_zip")]
        assert set(contents(view)) == {"1.zip/2.zip/3.zip/x"}


def test_a_bad_zip_is_refused_by_itself(tmp_path):
    write_zip(tmp_path / "good.zip", [("a", b"1")])
    write_zip(tmp_path / "evil.zip", [("../a", b"1")])
    (tmp_path / "cut.zip").write_bytes((tmp_path / "good.zip").read_bytes()[:-30])
    with opened(tmp_path) as (view, refused):
        assert contents(view) == {"good.zip/a": b"1"}
        assert {s.key: s.fault[0] for s in refused} == {"evil.zip": "unsafe_path", "cut.zip": "unreadable_zip"}


@pytest.mark.parametrize("nested", [False, True])
def test_growth_is_bounded_over_all_levels(tmp_path, monkeypatch, nested):
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1_000_000)
    bomb = write_zip(tmp_path / "b.zip", [(str(n), bytes(900_000)) for n in range(3)])
    raw = tmp_path / "raw"
    write_zip(raw / "a.zip", [("b.zip", bomb.read_bytes())] if nested else [(str(n), bytes(900_000)) for n in range(3)])
    with opened(raw) as (_, refused):
        assert [s.fault[0] for s in refused] == ["unpacked_too_large"]


def test_entries_that_a_flipped_bit_hides_are_missed(tmp_path):
    """The first entry's comment, by its harmed length, swallows the entry behind it: zipfile gives one file of two."""
    path = write_zip(tmp_path / "a.zip", [("a", b"1"), ("b", b"2")])
    content = bytearray(path.read_bytes())
    first = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", first + 1)
    content[first + 32] = content.index(b"PK\x05\x06") - second
    path.write_bytes(content)
    assert zipfile.ZipFile(path).namelist() == ["a"]
    with opened(path) as (_, refused):
        assert [study.fault[0] for study in refused] == ["unreadable_zip"]


def test_more_entries_than_two_bytes_count_are_counted_round_or_in_the_longer_record(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(65_540):
            archive.writestr(zipfile.ZipInfo(f"{number}"), b"")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archives._require_all(tmp_path / "a.zip", archive)
        content = (tmp_path / "a.zip").read_bytes()
        # As programs write it that know no longer record.
        at = content.rindex(b"PK\x05\x06")
        (tmp_path / "b.zip").write_bytes(content[:at] + content[at : at + 8] + b"\4\0\4\0" + content[at + 12 :])
        archives._require_all(tmp_path / "b.zip", archive)


def test_a_full_disk_while_unpacking_is_not_the_zips_fault(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "a.zip", [("a", bytes(3_000_000))])
    with ProcessPoolExecutor(1) as pool, pytest.raises(MachineError) as caught:
        pool.submit(unpack_on_a_full_disk, path, tmp_path / "out").result()
    assert caught.value.code == "disk_full"
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: SimpleNamespace(free=2_999_999))
    (tmp_path / "other").mkdir()
    with pytest.raises(MachineError, match="Free space") as caught:
        archives.unpack(path, tmp_path / "other", max_bytes=1 << 30, max_files=9)
    assert caught.value.code == "disk_full"


def unpack_on_a_full_disk(path, folder):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    folder.mkdir()
    archives.unpack(path, folder, max_bytes=1 << 30, max_files=9)


def test_a_user_reads_what_is_wrong_and_not_the_name_of_pythons_error(tmp_path):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a.dcm", b"x" * 5000)
    for content, said in (
        (whole.getvalue()[:2000], "one that is damaged or was copied in part"),
        (b"no zip", "a file that is none"),
    ):
        path = tmp_path / "study.zip"
        path.write_bytes(content)
        with pytest.raises(InputError, match=said) as refused:
            archives.unpack(path, tmp_path, max_bytes=1 << 20, max_files=10)
        assert "BadZipFile" not in str(refused.value)


def test_a_zip_of_names_without_content_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    def written(*_):
        raise AssertionError("an entry was unpacked")

    monkeypatch.setattr(archives, "_write_entries", written)
    path = write_zip(tmp_path / "raw" / "s.zip", [(str(n), b"") for n in range(20_001)])
    with archives.opened(path) as (_, refused):
        assert [study.fault[0] for study in refused] == ["too_many_files"]


def test_a_collection_may_hold_more_files_and_zips_in_it_share_them(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 3)
    path = write_zip(
        tmp_path / "raw" / "s.zip", [("a", random.Random(0).randbytes(16384)), *((str(n), b"") for n in range(3))]
    )
    assert archives.allowed(path).n_files == path.stat().st_size // 4096 == 4
    with archives.opened(path) as (_, refused):
        assert not refused
    inner = write_zip(tmp_path / "inner" / "i.zip", [(str(n), b"") for n in range(3)])
    with archives.opened(write_zip(tmp_path / "outer" / "s.zip", [("i.zip", inner.read_bytes())])) as (_, refused):
        assert [study.fault[0] for study in refused] == ["too_many_files"]


def test_what_is_said_of_a_bad_zip_names_none_of_its_files(tmp_path):
    """Entries are called after patients, and what is refused is told in a file that others read."""
    twice = write_zip(tmp_path / "twice.zip", [("DOE^JANE/1", b"1"), ("DOE^JANE/2", b"2")])
    twice.write_bytes(twice.read_bytes().replace(b"DOE^JANE/2", b"DOE^JANE/1"))
    renamed = write_zip(tmp_path / "renamed.zip", [("DOE^JANE/1", b"voxels")])
    renamed.write_bytes(renamed.read_bytes().replace(b"DOE^JANE/1", b"DOE^JANE/2", 1))
    harmed = write_zip(tmp_path / "harmed.zip", [("DOE^JANE/1", b"voxels")])
    content = bytearray(harmed.read_bytes())
    content[content.index(b"PK\x01\x02") + 16] ^= 1
    harmed.write_bytes(content)
    with opened(tmp_path) as (_, refused):
        told = {study.key: study.fault for study in refused}
    assert {reason for reason, _ in told.values()} == {"unreadable_zip"}
    assert sorted(told) == ["harmed.zip", "renamed.zip", "twice.zip"]
    assert not [message for _, message in told.values() if "DOE" in message or "lesionflow-" in message]
    assert "two entries of one name" in told["twice.zip"][1]
    assert "CRC" in told["harmed.zip"][1]
