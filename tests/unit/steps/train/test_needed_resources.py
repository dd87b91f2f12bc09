from collections import namedtuple

import pytest

from lesionflow.errors import ConfigError
from lesionflow.steps.train import needed_resources
from support.training_workspace import make_plan

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as the standard library's


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of which each thing can be made scarce: megabytes of memory, disk and shared memory."""

    def having(memory=10_000, disk=10_000, shared=10_000, limit=None):
        (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:  {memory * 1000} kB\n")
        for name, value in (("max", "max" if limit is None else limit * 10**6), ("current", 33 * 10**6)):
            (tmp_path / name).write_text(f"{value}\n")
        # Of 33 MB used, 30 are files that nobody needs in memory.
        (tmp_path / "stat").write_text(f"anon {3 * 10**6}\ninactive_file {30 * 10**6}\n")
        (tmp_path / "shm").mkdir(exist_ok=True)
        monkeypatch.setattr(needed_resources, "MEMINFO", tmp_path / "meminfo")
        monkeypatch.setattr(needed_resources, "LIMITS", ((tmp_path / "max", tmp_path / "current", tmp_path / "stat"),))
        monkeypatch.setattr(needed_resources, "SHARED", tmp_path / "shm")
        free = {str(tmp_path / "shm"): shared, str(tmp_path): disk}
        monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(0, 0, free[str(path)] * 10**6))
        return tmp_path / "candidate.work"

    return having


def check(folder, n_loaders=2):
    needs = needed_resources.require_room(make_plan(), folder, device="cpu", n_loaders=n_loaders)
    return {need.what: need for need in needs}


def test_enough_of_everything_passes_and_says_what_is_needed(machine):
    needs = check(machine())
    # Loaders x batches ahead x batch x voxels x (one float32 channel and one target).
    assert needs["shared memory"].needed_mb == pytest.approx(2 * 3 * 4 * 3 * 40 * 48 * 5 / 1e6)
    assert needs["memory"].free_mb == pytest.approx(10_240)
    # Eight copies of 4 bytes of a U-Net of 4, 8, 16, 32 channels.
    assert 0.5 < needs["disk for checkpoints"].needed_mb < 5
    assert check(machine(limit=500))["memory"].free_mb == pytest.approx(497)
    assert "shared memory" not in check(machine(), n_loaders=0)


@pytest.mark.parametrize(
    ("scarce", "words"),
    [
        ({"memory": 50}, r"MB of memory, found 51 MB free. Lower plan.batch_size"),
        ({"limit": 50}, r"MB of memory, found 47 MB free"),
        ({"disk": 0}, "MB of disk for checkpoints, found 0 MB free"),
        ({"shared": 0}, r"MB of shared memory, found 0 MB free.*LESIONFLOW_WORKERS.*--shm-size"),
    ],
)
def test_each_thing_that_is_scarce_is_named_with_what_to_do(machine, scarce, words):
    with pytest.raises(ConfigError, match=words):
        check(machine(**scarce))
