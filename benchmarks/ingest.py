"""Ingest of the 25 real patients beside dcm2niix (`pip install dcm2niix`) on the same CT and PET series."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.timing import compare, show
from lesionflow.config import load_params
from lesionflow.steps import run_step

ROOT = Path(__file__).resolve().parents[1]
STUDIES = ROOT.parent / "shared" / "data" / "sts" / "dicom"


def run() -> None:
    """Print the figures."""
    if not STUDIES.is_dir():
        print("\nIngest: skipped, no real studies at ../shared/data/sts")
        return
    params = load_params(ROOT / "presets" / "sts_petct.yaml")["ingest"]
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
