"""Ten thousand studies through a cluster, on paper: constants measured here, the rest simulated. `python -m benchmarks scale`.

Measured: seconds of CPU, peak memory and bytes of `ingest` and `preprocess` a study (the real studies of ../shared/data/sts, else phantoms),
by two numbers of studies, so that what a process costs before its first study stands apart.

Assumed, and said so: how long a pod takes to start, how often one is lost, how fast one pod reads and writes the object store.
"""

import heapq
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.timing import peak_mb
from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS
from lesionflow.phantoms import write_phantoms

STUDIES = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "sts" / "dicom"
FEW, MANY = 10, 24
N_STUDIES, N_SHARDS, CORES_A_POD = 10_000, 100, 4
POD_START_S, LOST_FRACTION, STORE_MB_S = 45.0, 0.02, 100.0
#: S3 takes larger objects in parts of so many bytes.
PART_BYTES = 8 << 20


@dataclass(frozen=True)
class StepCost:
    """What a step costs: before its first study, and for each.

    Args:
        start_s: Seconds of CPU before the first study.
        study_s: Seconds of CPU a study.
        bytes_in: Read, a study.
        bytes_out: Written, a study.
        files_in: Read, a study.
        files_out: Written, a study.
        peak_mb: Most memory of the process, with one worker.
    """

    start_s: float
    study_s: float
    bytes_in: float
    bytes_out: float
    files_in: float
    files_out: float
    peak_mb: float


@dataclass(frozen=True)
class Passage:
    """What became of a simulated run: seconds, pods that were started anew, requests and bytes of the object store."""

    wall_s: float
    work_s: float
    n_lost: int
    n_requests: float
    n_bytes: float


def run() -> None:
    """Print what was measured, and what it says of ten thousand studies."""
    costs = measure()
    print(
        f"\n{N_STUDIES:,} studies, {N_SHARDS} shards, {CORES_A_POD} cores a pod; a pod starts in {POD_START_S:.0f} s, one in {1 / LOST_FRACTION:.0f} is lost, {STORE_MB_S:.0f} MB/s a pod"
    )
    for name, cost in costs.items():
        print(
            f"  {name}: {cost.start_s:.1f} s + {cost.study_s:.2f} s of CPU a study, at most {cost.peak_mb:.0f} MB; "
            f"{cost.bytes_in / 1e6:.1f} MB in {cost.files_in:.0f} files -> {cost.bytes_out / 1e6:.1f} MB in {cost.files_out:.1f}"
        )
        for workers in (1, 4, 16, 64):
            made = simulate(cost, N_STUDIES, N_SHARDS, workers, seed=workers)
            ideal = made.work_s / workers
            print(
                f"    {workers:>3} pods at once: {made.wall_s / 3600:6.2f} h (work / pods {ideal / 3600:6.2f} h, {made.wall_s / ideal - 1:4.0%} beyond); "
                f"{made.n_lost} lost; {made.n_requests:,.0f} requests, {made.n_bytes / 1e12:.2f} TB"
            )
        joined = join(cost, N_STUDIES)
        print(
            f"    joined by one pod that copies: {joined.wall_s / 3600:.2f} h more; {joined.n_requests:,.0f} requests, {joined.n_bytes / 1e12:.2f} TB, a disk of {2 * N_STUDIES * cost.bytes_out / 1e12:.2f} TB"
        )


def requests_of(n_files: float, n_bytes: float) -> float:
    """Return how many requests it takes to read or write so many files of equal size."""
    if not n_files:
        return 0.0
    parts = max(1.0, np.ceil(n_bytes / n_files / PART_BYTES))
    # A large object is begun and ended too.
    return n_files * (parts + (2 if parts > 1 else 0))


def simulate(cost: StepCost, n_studies: int, n_shards: int, workers: int, *, seed: int) -> Passage:
    """Send shards to pods in turn, each to the first that is free; a lost pod costs its time and goes again.

    Studies are of unequal size: their seconds are drawn log-normal, with as much spread as mean.
    """
    values = np.random.default_rng(seed)
    spread = np.sqrt(np.log(2.0))
    seconds = cost.study_s * values.lognormal(-(spread**2) / 2, spread, n_studies)
    shards = np.array_split(seconds, n_shards)
    free = [0.0] * workers
    heapq.heapify(free)
    work = 0.0
    n_lost = 0
    read = cost.bytes_in / (STORE_MB_S * 1e6)
    write = cost.bytes_out / (STORE_MB_S * 1e6)
    for shard in shards:
        takes = cost.start_s + float(shard.sum()) / CORES_A_POD + len(shard) * (read + write)
        work += takes
        at = heapq.heappop(free)
        while values.random() < LOST_FRACTION:
            n_lost += 1
            at += POD_START_S + takes * values.random()
        heapq.heappush(free, at + POD_START_S + takes)
    n_bytes = n_studies * (cost.bytes_in + cost.bytes_out)
    requests = requests_of(n_studies * cost.files_in, n_studies * cost.bytes_in) + requests_of(
        n_studies * cost.files_out, n_studies * cost.bytes_out
    )
    return Passage(max(free), work, n_lost, requests, n_bytes)


def join(cost: StepCost, n_studies: int) -> Passage:
    """Return what one pod takes that reads what all parts wrote and writes it as one."""
    n_bytes = 2 * n_studies * cost.bytes_out
    wall = POD_START_S + n_bytes / (STORE_MB_S * 1e6)
    return Passage(
        wall, wall - POD_START_S, 0, 2 * requests_of(n_studies * cost.files_out, n_studies * cost.bytes_out), n_bytes
    )


def measure() -> dict[str, StepCost]:
    """Return what `ingest` and `preprocess` cost here."""
    preset, studies = ("sts_petct", STUDIES) if STUDIES.is_dir() else ("phantom_ct", None)
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        made = [_through(Path(folder) / str(n), preset, studies, n) for n in (FEW, MANY)]
    return {name: _slope(*(one[name] for one in made)) for name in made[0]}


def _through(folder: Path, preset: str, studies: Path | None, n: int) -> dict[str, tuple[float, ...]]:
    raw, cases = folder / "raw", folder / "cases"
    raw.mkdir(parents=True)
    if studies is None:
        write_phantoms(raw, n_cases=n, seed=1, modality="ct")
        raw /= "dicom"
    else:
        for study in sorted(studies.iterdir())[:n]:
            (raw / study.name).symlink_to(study, target_is_directory=True)
    steps = (
        ("ingest", {"raw": raw}, {"cases": cases}),
        ("split", {"cases": cases, "validation": folder / "validation"}, {"splits": folder / "splits.json"}),
        ("plan", {"cases": cases, "splits": folder / "splits.json"}, {"plan": folder / "plan.json"}),
        ("preprocess", {"cases": cases, "plan": folder / "plan.json"}, {"preprocessed": folder / "arrays"}),
    )
    rows = {}
    for name, inputs, outputs in steps:
        if name == "split":
            _timed(folder, preset, "validate", {"cases": cases}, {"validation": folder / "validation"})
        rows[name] = (
            *_timed(folder, preset, name, inputs, outputs),
            *_amount(next(iter(inputs.values()))),
            *_amount(next(iter(outputs.values()))),
            n,
        )
    return {name: rows[name] for name in ("ingest", "preprocess")}


def _timed(
    folder: Path, preset: str, step: str, inputs: dict[str, Path], outputs: dict[str, Path]
) -> tuple[float, float]:
    words = [f"{key}={value}" for key, value in inputs.items()], [f"{key}={value}" for key, value in outputs.items()]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {
        "LESIONFLOW_WORKERS": "1",
        "OMP_NUM_THREADS": "1",
        "LESIONFLOW_PRIVATE_DIR": str(folder / "private"),
        # A key of its own, so a registry of its own: that of this folder may know a test set by another key.
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
    }
    command = [sys.executable, "-m", "benchmarks.scale", preset, step, ",".join(words[0]), ",".join(words[1])]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-600:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, float(done.stdout.split()[-1])


def _amount(path: Path) -> tuple[float, float]:
    files = (
        [path]
        if path.is_file()
        else [each for top in [path, *path.glob("*")] for each in (top.rglob("*") if top.is_symlink() else [])]
    )
    files = files or [each for each in path.rglob("*") if each.is_file()]
    files = [each for each in files if each.is_file()]
    return sum(each.stat().st_size for each in files), len(files)


def _slope(few: Sequence[float], many: Sequence[float]) -> StepCost:
    (a, _, a_in, a_files_in, a_out, a_files_out, n), (b, peak, b_in, b_files_in, b_out, b_files_out, m) = few, many
    study_s, start_s = (b - a) / (m - n), a - n * (b - a) / (m - n)
    return StepCost(
        max(start_s, 0.0), study_s, (b_in - a_in) / (m - n), (b_out - a_out) / (m - n), (b_files_in - a_files_in) / (m - n), (b_files_out - a_files_out) / (m - n), peak
    )  # fmt: skip


if __name__ == "__main__":
    from lesionflow.steps import run_step

    _preset, _step, _inputs, _outputs = sys.argv[1:]
    run_step(
        _step,
        load_params(PRESETS / f"{_preset}.yaml")[_step],
        *(
            {key: Path(value) for key, _, value in (word.partition("=") for word in words.split(","))}
            for words in (_inputs, _outputs)
        ),
    )
    print(peak_mb())
