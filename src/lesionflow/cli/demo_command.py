"""`lesionflow demo`: from nothing to a scored answer of the service, on synthetic patients."""

import argparse
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lesionflow.cli.workspace_commands import run_stages
from lesionflow.config import Settings
from lesionflow.config.presets import find_params
from lesionflow.config.sqlite_address import sqlite_address
from lesionflow.errors import LesionFlowError, ServiceError
from lesionflow.workspace.change_plan_file import take_change_plan
from lesionflow.workspace.creation import init_workspace
from lesionflow.workspace.params_file import take_params
from lesionflow.workspace.raw_studies import link_raw

PRESET, N_CASES, SEED = "phantom_ct", 96, 7
#: Number of the patient that no step sees.
UNSEEN = 1000
#: The service loads torch, mlflow and the model.
READY_TIMEOUT_S = 120
#: The unseen study as it was sent, to be sent again by hand.
STUDY_ZIP = "study.zip"
STOP_TIMEOUT_S = 30
#: A mask worse than this on a fresh phantom means that something is wrong, whatever the mean says.
LEAST_DICE = 0.3


def add_commands(commands: Any) -> None:
    """Add `demo`."""
    demo = commands.add_parser("demo", help="phantoms, pipeline, champion, service and a scored answer, in one go")
    demo.add_argument("--workdir", type=Path, default=Path("demo"))
    demo.add_argument("--params", default=PRESET, help=f"a preset's name, or a params file (default {PRESET})")
    demo.add_argument("--cases", type=int, default=N_CASES, help=f"patients to draw (default {N_CASES})")
    demo.set_defaults(run=_demo)


def _demo(parsed: argparse.Namespace) -> int:
    folder: Path = parsed.workdir.resolve()
    times: dict[str, float] = {}
    with _timed("phantoms", times):
        study, truth = _draw(folder, parsed.cases)
    with _timed("pipeline", times):
        init_workspace(folder, find_params(parsed.params))
        if told := take_params(folder, find_params(parsed.params)):
            _say(told)
        if told := take_change_plan(folder, find_params(parsed.params)):
            _say(told)
        link_raw(folder, folder / "phantoms" / "dicom")
        code = run_stages(folder)
    if code:
        return code
    with _timed("service", times):
        seg, report = _ask_service(folder, study)
    dice = _score(seg, study, truth)
    _summarize(folder, times, report, dice)
    # Other params may be meant to be quick, not good.
    if dice < LEAST_DICE and parsed.params == PRESET:
        raise LesionFlowError(f"Expected a Dice of at least {LEAST_DICE} on the unseen patient, found {dice:.3f}.")
    return 0


@contextmanager
def _timed(name: str, times: dict[str, float]) -> Iterator[None]:
    _say(f"\n=== {name}")
    began = time.monotonic()
    yield
    times[name] = time.monotonic() - began


def _draw(folder: Path, n_cases: int) -> tuple[Path, Path]:
    from lesionflow.phantoms import write_phantoms

    def show(done: int, total: int) -> None:
        if done % 12 == 0 or done == total:
            _say(f"{done} of {total} patients drawn")

    drawn = folder / "phantoms" / "dicom"
    if not (folder / "phantoms" / "truth" / "truth.json").exists() or len(list(drawn.iterdir())) < n_cases:
        write_phantoms(
            folder / "phantoms", n_cases=n_cases, seed=SEED, file_format="dicom", modality="ct",
            workers=Settings().workers, progress=show,
        )  # fmt: skip
    unseen = folder / "unseen"
    shutil.rmtree(unseen, ignore_errors=True)
    write_phantoms(unseen, n_cases=1, seed=SEED, first=UNSEEN, file_format="dicom", modality="ct")
    return unseen / "dicom", next((unseen / "truth").glob("*.nii.gz"))


def _ask_service(folder: Path, study: Path) -> tuple[Path, dict[str, Any]]:
    import httpx

    port = _free_port()
    command = [sys.executable, "-m", "lesionflow", "serve", "--port", str(port)]
    environment = dict(os.environ)
    environment.setdefault("MLFLOW_TRACKING_URI", sqlite_address(folder / "mlflow.db"))
    base = f"http://127.0.0.1:{port}"
    with (
        (folder / "service.log").open("wb") as log,
        subprocess.Popen(  # noqa: S603 - our own command, no shell
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            _await_ready(base, process, folder / "service.log")
            _say(f"service ready at {base}; posting a study that no step has seen")
            archive = folder / "unseen" / STUDY_ZIP
            archive.write_bytes(_zip(study))
            part = {"study": (STUDY_ZIP, archive.read_bytes(), "application/zip")}
            answer = httpx.post(f"{base}/v1/segment", params={"format": "dicom-seg"}, files=part, timeout=300)
            if answer.status_code != httpx.codes.OK:
                raise ServiceError(
                    f"Expected a DICOM SEG from the service, found {answer.status_code}: {answer.text:.400}"
                )
            told = httpx.post(f"{base}/v1/segment", params={"format": "json"}, files=part, timeout=300)
            mask = folder / "unseen" / "mask.dcm"
            mask.write_bytes(answer.content)
            return mask, dict(told.json())
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _await_ready(base: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    import httpx

    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{base}/readyz", timeout=2).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise ServiceError(f"Expected the service to be ready within {READY_TIMEOUT_S} s; {log} says why it was not.")


def _score(seg: Path, study: Path, truth: Path) -> float:
    from lesionflow.io.dicom.reading import read_dicom_file
    from lesionflow.io.dicom.seg import read_segments
    from lesionflow.io.dicom.studies import find_studies, read_study
    from lesionflow.io.images import nifti
    from lesionflow.io.rules import ReadingRules, SeriesRule
    from lesionflow.metrics import score_pair

    rules = ReadingRules({"CT": SeriesRule("CT")}, "CT", {"tumor": 1}, ((".*", "tumor"),))
    source = next(iter(find_studies(study)))
    grid = read_study(source, rules, name="unseen", outlines=False).volumes["CT"].geometry
    data = read_dicom_file(str(seg), name="unseen")
    predicted = read_segments(data, grid, str(data.FrameOfReferenceUID), rules, name="unseen")
    reference = nifti.read_mask(truth, name="unseen")
    return score_pair(reference.labels > 0, predicted.labels > 0, grid.spacing_mm)["dice"]


def _summarize(folder: Path, times: dict[str, float], report: dict[str, Any], dice: float) -> None:
    metrics = json.loads((folder / "reports" / "evaluation" / "metrics.json").read_text(encoding="utf-8"))
    mean = metrics["dice"]
    parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in times.items())
    volumes = ", ".join(f"{t['name']} {t['volume_ml']:.1f} ml" for t in report["targets"])
    _say(
        f"""
=== done in {sum(times.values()):.0f} s ({parts})
test Dice       {mean["mean"]:.3f} [{mean["low"]:.3f}, {mean["high"]:.3f}] on {mean["n"]} patients that training never saw
unseen patient  Dice {dice:.3f} of the DICOM SEG that the service returned ({volumes})
report          {folder / "reports/evaluation/report.html"}
data checks     {folder / "reports/validation/summary.html"}
decision        {folder / "reports/promotion.json"}
MLflow UI       make ui      (or: lesionflow ui --workdir {folder})
service         make serve   (or: lesionflow serve --workdir {folder}), then
                curl --fail -F study=@{folder / "unseen" / STUDY_ZIP} -o mask.dcm "http://127.0.0.1:3000/v1/segment?format=dicom-seg"
Research use only."""
    )


def _zip(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
