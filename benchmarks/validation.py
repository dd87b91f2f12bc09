"""Validation of a case table of 100,000 synthetic cases: seconds and memory of the whole step, pictures apart."""

import base64
import multiprocessing
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.timing import peak_mb
from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.data.dataset import CHANNEL_COLUMNS, Dataset
from lesionflow.io.stores.cases import write_dataset, write_table
from lesionflow.steps import run_step

N_CASES = 100_000
ROOT = Path(__file__).resolve().parents[1]


def run() -> None:
    """Print the figures; in a process of its own, whose memory is that of the step."""
    command = [sys.executable, "-m", "benchmarks.validation"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    print(f"\nValidation of {N_CASES:,} synthetic cases\n  {done.stdout.strip()}")


def synthetic_table(n_cases: int, dataset: Dataset) -> pd.DataFrame:
    """Make plausible cases, a few of them at fault: 1 % odd spacing, 0.1 % mirrored copies, patients with follow-ups.

    Coarse grids are one smooth shape with as much variation between cases as two patients have.
    """
    rng = np.random.default_rng(3)
    axis = np.linspace(-1, 1, 8)
    shape = np.exp(-(axis[:, None, None] ** 2 + 2 * axis[None, :, None] ** 2 + axis[None, None, :] ** 2))
    grids = np.clip(128 + 60 * (shape - shape.mean()) / shape.std() + rng.normal(0, 30, (n_cases, 8, 8, 8)), 0, 255)
    grids = grids.astype(np.uint8)
    copies = rng.choice(np.arange(1, n_cases), n_cases // 1000, replace=False)
    grids[copies] = np.flip(grids[copies - 1], 3)
    cells = rng.integers(1, 16, (n_cases, 16, 16, 16), np.uint8)
    cells[copies] = np.flip(cells[copies - 1], 3)
    details = (cells[..., ::2] << 4 | cells[..., 1::2]).reshape(n_cases, -1)
    names = [f"c-{i:012x}" for i in range(n_cases)]
    columns: dict[str, object] = {
        "case_id": names,
        "patient_id": [f"p-{i * 9 // 10:012x}" for i in range(n_cases)],
        "source_format": "dicom",
        "n_slices": rng.integers(40, 400, n_cases),
        "n_rows": 512,
        "n_columns": 512,
        "spacing_slice_mm": np.where(rng.random(n_cases) < 0.01, 12.0, rng.choice([1.0, 2.5, 3.27, 5.0], n_cases)),
        "spacing_row_mm": rng.uniform(0.5, 1.2, n_cases),
        "spacing_column_mm": rng.uniform(0.5, 1.2, n_cases),
        "image_sha256": [f"{i:064x}" for i in range(n_cases)],
        "mask_sha256": [f"{i:064x}" for i in range(n_cases)],
        "has_mask": True,
        "labels_present": "1",
        "n_lesions": 1,
        "tumor_ml": rng.lognormal(4, 1, n_cases),
        "inside_body_fraction": 1.0,
        "mirrored_inside_fraction": 1.0,
        "orientation": "SPL",
        "obliqueness_degrees": 0.0,
        "n_flat_slices": 0,
        "n_repeated_slices": 0,
        "coarse_grid": [grid.tobytes().hex() for grid in grids],
        "image_detail": [base64.b64encode(detail.tobytes()).decode() for detail in details],
        "modality": "+".join(dataset.channels),
        "manufacturer": rng.choice(["Maker A", "Maker B", "Maker C"], n_cases),
        "site": [f"s-{i % 40:012x}" for i in range(n_cases)],
        "sex": rng.choice(["F", "M"], n_cases),
        "age_years": rng.integers(18, 90, n_cases).astype(float),
    }
    for name in dataset.channels:
        figures = zip(CHANNEL_COLUMNS, (-1000.0, -900.0, -3.0, 120.0, 150.0, 0, 1.5), strict=True)
        columns |= {f"{figure}__{name}": value for figure, value in figures}
    return pd.DataFrame(columns)


def _make(cases: Path, dataset: Dataset) -> None:
    cases.mkdir()
    write_dataset(cases, dataset, N_CASES)
    write_table(cases, synthetic_table(N_CASES, dataset))


def _measure() -> None:
    dataset = Dataset(name="synthetic", channels={"CT": "ct", "PET": "pet"}, labels={"tumor": 1}, regions={})
    params = load_params(PRESETS_FOLDER / "sts_petct.yaml")["validate"]
    with tempfile.TemporaryDirectory() as folder:
        cases = Path(folder) / "cases"
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            pool.submit(_make, cases, dataset).result()
        began = time.perf_counter()
        counts = run_step("validate", params, {"cases": cases}, {"validation": Path(folder) / "validation"})
        seconds = time.perf_counter() - began
        docs = sum(path.stat().st_size for path in Path(folder, "validation").rglob("*") if path.is_file())
    peak = peak_mb() / 1024
    print(
        f"{seconds:.1f} s (at most 90), {peak:.2f} GiB (at most 2); "
        f"{counts['n_findings']:.0f} findings, {counts['n_quarantined']:.0f} cases in quarantine, report of {docs / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    _measure()
