"""Ingest of the 25 real patients beside dcm2niix (`pip install dcm2niix`) on the same CT and PET series; adding one to 24."""

import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from benchmarks.timing import compare, show
from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.steps import run_step

ROOT = Path(__file__).resolve().parents[1]
STUDIES = ROOT.parent / "shared" / "data" / "sts" / "dicom"


def run() -> None:
    """Print the figures."""
    if not STUDIES.is_dir():
        print("\nIngest: skipped, no real studies at ../shared/data/sts")
        return
    params = load_params(PRESETS_FOLDER / "sts_petct.yaml")["ingest"]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        os.environ["LESIONFLOW_PRIVATE_DIR"] = str(work / "private")

        def ours() -> None:
            shutil.rmtree(work / "cases", ignore_errors=True)
            run_step("ingest", params, {"raw": STUDIES}, {"cases": work / "cases"})

        calls = {"lesionflow ingest (with outlines and PET on CT)": ours}
        peer = shutil.which("dcm2niix") or str(ROOT / ".venv" / "bin" / "dcm2niix")
        if Path(peer).exists():
            series = [
                p for s in sorted(STUDIES.iterdir()) for p in (s / "CT" / "image", s / "PET" / "image") if p.is_dir()
            ]

            def theirs() -> None:
                shutil.rmtree(work / "nii", ignore_errors=True)
                (work / "nii").mkdir()
                for number, path in enumerate(series):
                    command = [peer, "-z", "y", "-f", f"s{number}", "-o", str(work / "nii"), str(path)]
                    subprocess.run(command, check=True, capture_output=True)

            calls["dcm2niix, CT and PET to .nii.gz"] = theirs
        show("25 patients, CT + PET + RTSTRUCT", compare(calls, 3))
        with _watched() as peak:
            ours()
        print(f"  memory of all processes together: at most {peak[0] / 2**30:.2f} GiB (at most 1)")
        _add_one(params, work)


def _add_one(params: dict[str, object], work: Path) -> None:
    """Time the last patient alone, and added to the 24 others."""
    studies = sorted(path for path in STUDIES.iterdir() if path.is_dir())
    for name, members in (("all", studies[:-1]), ("alone", studies[-1:])):
        (work / name).mkdir()
        for study in members:
            (work / name / study.name).symlink_to(study, target_is_directory=True)
    run_step("ingest", params, {"raw": work / "all"}, {"cases": work / "many"})
    alone, added = [], []
    for _ in range(3):
        (work / "all" / studies[-1].name).symlink_to(studies[-1], target_is_directory=True)
        added.append(_seconds(params, work / "all", work / "many"))
        (work / "all" / studies[-1].name).unlink()
        run_step("ingest", params, {"raw": work / "all"}, {"cases": work / "many"})
        shutil.rmtree(work / "one", ignore_errors=True)
        alone.append(_seconds(params, work / "alone", work / "one"))
    one, more = statistics.median(alone), statistics.median(added)
    print(f"  one patient alone {one:.2f} s, added to 24 {more:.2f} s: {more - one:.2f} s beyond its own (at most 3)")


def _seconds(params: dict[str, object], raw: Path, cases: Path) -> float:
    began = time.perf_counter()
    run_step("ingest", params, {"raw": raw}, {"cases": cases})
    return time.perf_counter() - began


@contextmanager
def _watched() -> Iterator[list[int]]:
    """Watch the memory of this process and all below it (proportional, so that shared pages count once)."""
    peak, stop = [0], threading.Event()

    def watch() -> None:
        me = psutil.Process()
        while not stop.wait(0.1):
            total = 0
            for process in (me, *me.children(recursive=True)):
                with suppress(psutil.Error):
                    total += process.memory_full_info().pss
            peak[0] = max(peak[0], total)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()
