"""Trees of control groups as kernels and container programs make them; and a real one, where one may be made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lesionflow.config import Settings
from lesionflow.config.control_groups import memory_budget_mb, memory_left, usable_cores

GIB = 1 << 30


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))


def tree(folder, cgroup, mounts, files):
    """A /proc/self and a /sys/fs/cgroup: `mounts` of (root, point, kind, options)."""
    proc = folder / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(cgroup)
    (proc / "statm").write_text("90000 25600 100 1 0 1000 0\n")
    lines = [
        f"{number} 23 0:{number} {root} {str(folder / point).replace(' ', chr(92) + '040')} rw,relatime shared:9 - {kind} {kind} rw,{options}\n"
        for number, (root, point, kind, options) in enumerate(mounts, 30)
    ]
    (proc / "mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/sda rw\n" + "".join(lines))
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return proc


V2 = ("/", "sys fs/cgroup", "cgroup2", "nsdelegate")


@pytest.mark.parametrize(
    ("text", "cores"),
    [("100000 100000", 1), ("150000 100000", 2), ("50000 100000", 1), ("max 100000", 16), ("3200000 100000", 16)],
)
def test_a_quota_of_version_2_counts(text, cores, tmp_path):
    proc = tree(tmp_path, "0::/\n", [V2], {"sys fs/cgroup/cpu.max": text + "\n"})
    assert usable_cores(proc) == cores


def test_the_tightest_of_nested_groups_counts(tmp_path):
    files = {
        "sys fs/cgroup/pod/cpu.max": "300000 100000\n",
        "sys fs/cgroup/pod/one/cpu.max": "max 100000\n",
        "sys fs/cgroup/pod/memory.max": f"{4 * GIB}\n",
        "sys fs/cgroup/pod/memory.current": f"{3 * GIB}\n",
        "sys fs/cgroup/pod/memory.stat": f"anon {2 * GIB}\nfile {GIB}\ninactive_file {GIB // 2}\n",
        "sys fs/cgroup/pod/one/memory.max": f"{2 * GIB}\n",
        "sys fs/cgroup/pod/one/memory.current": f"{GIB // 4}\n",
        "sys fs/cgroup/pod/one/memory.stat": "inactive_file 0\n",
        "sys fs/cgroup/other/cpu.max": "100000 100000\n",
    }
    proc = tree(tmp_path, "0::/pod/one\n", [V2], files)
    assert usable_cores(proc) == 3
    # 4 - 3 + what the kernel can drop, 0.5: less than what the inner group leaves.
    assert memory_left(proc) == 3 * GIB // 2
    assert memory_budget_mb(proc) == (3 * GIB // 2 + 25600 * os.sysconf("SC_PAGE_SIZE")) // 1_000_000


V1 = [("/", "cg/cpu,cpuacct", "cgroup", "cpu,cpuacct"), ("/", "cg/memory", "cgroup", "memory")]


def test_groups_of_version_1_count(tmp_path):
    files = {
        "cg/cpu,cpuacct/job/cpu.cfs_quota_us": "250000\n",
        "cg/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
        "cg/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "cg/memory/memory.usage_in_bytes": "5000000000\n",
        "cg/memory/job/memory.limit_in_bytes": f"{GIB}\n",
        "cg/memory/job/memory.usage_in_bytes": f"{GIB // 2}\n",
        "cg/memory/job/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB // 4}\n",
    }
    proc = tree(tmp_path, "5:memory:/job\n4:cpu,cpuacct:/job\n0::/\n", V1, files)
    assert usable_cores(proc) == 3
    assert memory_left(proc) == 3 * GIB // 4


def test_no_quota_of_version_1_is_no_bound(tmp_path):
    files = {"cg/cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "cg/cpu,cpuacct/cpu.cfs_period_us": "100000\n"}
    proc = tree(tmp_path, "5:memory:/\n4:cpu,cpuacct:/\n", V1, files)
    assert usable_cores(proc) == 16
    assert memory_left(proc) is None
    assert memory_budget_mb(proc) is None


def test_a_container_that_sees_the_hosts_path_is_ruled_by_its_mount(tmp_path):
    """Docker without a namespace of groups: only its own group is mounted, /proc names it as the host does."""
    mounts = [("/docker/4f1e", "cg/cpu", "cgroup", "cpu")]
    files = {"cg/cpu/cpu.cfs_quota_us": "200000\n", "cg/cpu/cpu.cfs_period_us": "100000\n"}
    proc = tree(tmp_path, "4:cpu:/docker/4f1e\n", mounts, files)
    assert usable_cores(proc) == 2
    (proc / "cgroup").write_text("4:cpu:/../../elsewhere\n")
    assert usable_cores(proc) == 2


def test_being_bound_to_fewer_cores_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5})
    assert usable_cores(tree(tmp_path, "0::/\n", [V2], {"sys fs/cgroup/cpu.max": "400000 100000\n"})) == 2


def test_without_groups_nothing_is_bounded(tmp_path):
    assert (usable_cores(tmp_path), memory_left(tmp_path), memory_budget_mb(tmp_path)) == (16, None, None)


def test_settings_take_what_they_are_told_before(monkeypatch):
    monkeypatch.delenv("LESIONFLOW_WORKERS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1})
    assert Settings().workers == 1
    monkeypatch.setenv("LESIONFLOW_WORKERS", "7")
    monkeypatch.setenv("LESIONFLOW_MEMORY_MB", "99")
    assert (Settings().workers, Settings().memory_mb) == (7, 99)


def test_a_real_group_counts():
    """The kernel's own: one core of time and 630 MB, for a process that is moved there."""
    groups = {"cpu.cfs_quota_us": Path("/sys/fs/cgroup/cpu"), "memory.limit_in_bytes": Path("/sys/fs/cgroup/memory")}
    made = {file: at / f"lesionflow-test-{os.getpid()}" for file, at in groups.items()}
    try:
        for file, value in (("cpu.cfs_quota_us", "100000"), ("memory.limit_in_bytes", str(630_000_000 >> 12 << 12))):
            made[file].mkdir()
            (made[file] / file).write_text(value)
    except OSError as error:
        for folder in made.values():
            if folder.exists():
                folder.rmdir()
        pytest.skip(f"no control group of version 1 can be made here: {error}")
    program = (
        "import os, sys\n"
        "for folder in sys.argv[1:]: open(folder + '/cgroup.procs', 'w').write(str(os.getpid()))\n"
        "from lesionflow.config import Settings\n"
        "print(Settings().workers, Settings().memory_mb)\n"
    )
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("LESIONFLOW_WORKERS", "LESIONFLOW_MEM"))
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, made.values())],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        for folder in made.values():
            folder.rmdir()
    workers, budget = map(int, done.stdout.split())
    assert workers == 1
    assert 500 < budget <= 630
