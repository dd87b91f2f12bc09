import os
import shutil
import subprocess
import time

import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.files import sha256_file
from lesionflow.io.stores import raw_manifest


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    for number, name in enumerate(("a/1.dcm", "a/2.dcm", "odd name\\with\nbreaks.bin", "ü.nii")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * (number + 1))
    raw_manifest.record(folder, workers=2)
    return folder


def _settle(folder):
    """Make the manifest younger than its files by more than the slack, as it is minutes after."""
    path = raw_manifest.manifest_path(folder)
    later = time.time_ns() + 10 * raw_manifest.CLOCK_SLACK_NS
    os.utime(path, ns=(later, later))


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no coreutils here")
def test_coreutils_reads_the_manifest_and_we_read_theirs(raw):
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "raw.sha256"], check=False, cwd=raw.parent, capture_output=True
    )
    assert done.returncode == 0, done.stdout
    names = sorted(str(path.relative_to(raw.parent)) for path in raw.rglob("*") if path.is_file())
    theirs = subprocess.run(["sha256sum", *names], cwd=raw.parent, capture_output=True, check=True).stdout
    ours = raw_manifest.read_manifest(raw_manifest.manifest_path(raw))
    raw_manifest.manifest_path(raw).write_bytes(theirs)
    assert raw_manifest.read_manifest(raw_manifest.manifest_path(raw)) == ours
    assert set(ours) == set(names)


@pytest.mark.parametrize("trust_times", [False, True])
def test_each_kind_of_change_is_named(raw, trust_times):
    _settle(raw)
    assert raw_manifest.compare(raw, workers=1, trust_times=trust_times)[1:] == ((), (), ())
    raw_manifest.record(raw, workers=1)
    (raw / "a" / "1.dcm").write_bytes(b"other")
    (raw / "a" / "2.dcm").unlink()
    (raw / "new.dcm").write_bytes(b"x")
    state = raw_manifest.compare(raw, workers=2, trust_times=trust_times)
    assert state[1:] == (("raw/new.dcm",), ("raw/a/1.dcm",), ("raw/a/2.dcm",))
    assert not state.is_whole
    assert state.hashes["raw/a/1.dcm"] == sha256_file(raw / "a" / "1.dcm")


def test_a_changed_byte_with_its_old_times_is_found(raw):
    path = raw / "a" / "2.dcm"
    stat = path.stat()
    time.sleep(0.02)
    path.write_bytes(b"\x07\x07")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert raw_manifest.compare(raw, workers=1, trust_times=True).changed == ("raw/a/2.dcm",)
    _settle(raw)
    assert raw_manifest.compare(raw, workers=1, trust_times=True).changed == (), (
        "what is older than the manifest is not read"
    )
    assert raw_manifest.compare(raw, workers=1).changed == ("raw/a/2.dcm",)


def test_a_link_is_followed_and_its_target_left_alone(tmp_path, raw):
    link = tmp_path / "work" / "raw"
    link.parent.mkdir()
    link.symlink_to(raw)
    raw_manifest.record(link, workers=1)
    assert (tmp_path / "work" / "raw.sha256").exists()
    assert raw_manifest.compare(link, workers=1)[1:] == ((), (), ())


def test_a_file_with_other_bytes_than_recorded_is_told_from_a_new_one(raw, tmp_path):
    first, new, elsewhere = raw / "a" / "1.dcm", raw / "new.dcm", tmp_path / "unpacked" / "1.dcm"
    hashes = {str(first): "0" * 64, str(raw / "a" / "2.dcm"): sha256_file(raw / "a" / "2.dcm")}
    assert raw_manifest.changed_files(raw, {**hashes, str(new): "1" * 64, str(elsewhere): "2" * 64}) == {str(first)}
    raw_manifest.manifest_path(raw).unlink()
    assert raw_manifest.changed_files(raw, hashes) == set()


@pytest.mark.parametrize("line", ["abc  raw/x", "0" * 64, "0" * 64 + " raw/x"])
def test_a_broken_manifest_is_refused(raw, line):
    raw_manifest.manifest_path(raw).write_text(line + "\n")
    with pytest.raises(ArtifactError, match="line 1"):
        raw_manifest.compare(raw, workers=1)
