import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from lesionflow.errors import ArtifactError, InputError, MachineError
from lesionflow.io import files
from lesionflow.io.files import (
    copy_file,
    find_files,
    read_json,
    replacing_file,
    replacing_folder,
    sha256_file,
    sha256_folder,
    write_text,
)
from support.dicom_factory import ROOT, write_series


class Interrupted(Exception):  # noqa: N818
    pass


def test_a_file_is_there_when_all_of_it_is_written(tmp_path):
    with replacing_file(tmp_path / "new" / "a.nii.gz") as partial:
        partial.write_text("whole")
        assert partial.name.endswith("a.nii.gz")
        assert not (tmp_path / "new" / "a.nii.gz").exists()
    assert (tmp_path / "new" / "a.nii.gz").read_text() == "whole"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.nii.gz"]


def fail_within(replacing, write):
    with replacing as partial:
        write(partial)
        raise Interrupted


def test_a_fault_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    write_text(tmp_path / "a", "old")
    with pytest.raises(Interrupted):
        fail_within(replacing_file(tmp_path / "a"), lambda partial: partial.write_text("half"))
    assert (tmp_path / "a").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_replaces_the_old_one_as_a_whole(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with replacing_folder(tmp_path / "out") as partial:
        (partial / "new").touch()
        assert (tmp_path / "out" / "old").exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_fault_leaves_the_old_folder(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with pytest.raises(Interrupted):
        fail_within(replacing_folder(tmp_path / "out"), lambda partial: (partial / "new").touch())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_killed_writer_leaves_no_half_file_under_the_name(tmp_path):
    code = (
        "import sys, time, pathlib\n"
        "from lesionflow.io.files import replacing_file\n"
        "with replacing_file(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half')\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a")], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"writing\n", "the writer never began"
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        deadline = time.monotonic() + 5
        while writer.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
    assert not (tmp_path / "a").exists()


def test_hashes_are_those_of_sha256sum(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folders_hash_looks_at_names_and_bytes_and_not_at_hidden_files(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_text("1")
    first = sha256_folder(tmp_path)
    (tmp_path / ".partial").write_text("x")
    assert sha256_folder(tmp_path) == first
    (tmp_path / "d" / "a").write_text("2")
    changed = sha256_folder(tmp_path)
    (tmp_path / "d" / "a").rename(tmp_path / "d" / "b")
    assert len({first, changed, sha256_folder(tmp_path)}) == 3


@pytest.fixture
def patients(tmp_path):
    """Two patients with a series each, in nested folders."""
    return [
        write_series(
            tmp_path / "raw" / name / "CT", patient_id=name, study_uid=f"{ROOT}.{n}", frame_uid=f"{ROOT}.{n}.9"
        )
        for n, name in enumerate(("ANN", "BEN"), 1)
    ]


def test_links_are_followed_and_a_loop_of_links_ends(tmp_path, patients):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "ann").symlink_to(tmp_path / "raw" / "ANN")
    (tmp_path / "linked" / "loop").symlink_to(tmp_path / "linked")
    (tmp_path / "linked" / "one.dcm").symlink_to(patients[1].paths[0])
    assert len(find_files(tmp_path / "linked")) == 6


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(InputError, match="found none") as refused:
        find_files(tmp_path / "raw")
    assert refused.value.reason == "missing_folder"


@pytest.mark.parametrize("content", [None, "", "{", "[]", "3", '"words"'])
def test_what_is_no_json_object_is_an_artifact_error(tmp_path, content):
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"a\.json"):
        read_json(tmp_path / "a.json")


def test_files_are_found_sorted_without_hidden_ones_and_what_lies_too_deep_is_refused(tmp_path):
    for name in ("b/2", "b/1", "a/.hidden/3", ".cache/4", "__MACOSX/5", "c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert find_files(tmp_path) == [tmp_path / "b" / "1", tmp_path / "b" / "2", tmp_path / "c"]
    deep = tmp_path.joinpath(*["d"] * 66)
    deep.mkdir(parents=True)
    with pytest.raises(InputError) as refused:
        find_files(tmp_path)
    assert refused.value.reason == "nested_folders"


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 100_000, b"{", b'"' + b"x" * (files.MAX_JSON_BYTES) + b'"']
)
def test_json_that_nests_too_deep_or_is_too_large_is_a_value_error(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"JSON|Expecting"):
        files.parse_json(tmp_path / "a.json")
    with pytest.raises(ArtifactError):
        files.read_json(tmp_path / "a.json")


def test_a_full_disk_while_a_file_is_written_is_the_machines(tmp_path):
    with ProcessPoolExecutor(1) as pool, pytest.raises(MachineError) as caught:
        pool.submit(write_limited, tmp_path / "a.json").result()
    assert caught.value.code == "disk_full"
    assert str(tmp_path) in str(caught.value)
    assert not any(tmp_path.iterdir())


def write_limited(path):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    files.write_text(path, "x" * 2000)


def test_the_old_folder_comes_back_where_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "old").write_text("whole")
    rename = Path.rename

    def fail_for_partial(self, target):
        if self.name.startswith(".partial-"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_partial)
    with pytest.raises(MachineError, match="no space left"), replacing_folder(path) as partial:
        (partial / "new").write_text("new")
    assert (path / "old").read_text() == "whole"
    assert [entry.name for entry in tmp_path.iterdir()] == ["bundle"]


def test_a_copy_is_whole_or_absent(tmp_path):
    (tmp_path / "one").write_bytes(b"abc")
    copy_file(tmp_path / "one", tmp_path / "folder" / "two")
    assert (tmp_path / "folder" / "two").read_bytes() == b"abc"
    with pytest.raises(FileNotFoundError):
        copy_file(tmp_path / "none", tmp_path / "folder" / "two")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["two"]
    assert (tmp_path / "folder" / "two").read_bytes() == b"abc"
