import shutil
import subprocess
from pathlib import Path

import pytest

from lesionflow.phantoms import write_phantoms

SEED = 5


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets")
    for kind in ("rtstruct", "seg"):
        write_phantoms(out / kind, n_cases=3, seed=SEED, outlines=kind)
    write_phantoms(out / "mr4 rtstruct", n_cases=1, first=1, seed=SEED, modality="mr4", outlines="rtstruct")
    write_phantoms(out / "mr4 seg", n_cases=1, first=1, seed=SEED, modality="mr4", outlines="seg")
    return out


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian's dicom3tools) is not installed")
def test_dciodvfy_finds_no_error(sets: Path, tmp_path: Path) -> None:
    write_phantoms(tmp_path, n_cases=1, first=1, seed=SEED, modality="petct")
    files = [p for folder in (sets, tmp_path) for p in folder.rglob("*") if p.is_file() and "truth" not in p.parts]
    outlines = [p for p in files if p.name in {"RS.dcm", "SEG.dcm"}]
    slices = sorted(set(files) - set(outlines))[::29]
    for path in (*outlines, *slices):
        report = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
        assert not [line for line in report.splitlines() if line.startswith("Error")], path
