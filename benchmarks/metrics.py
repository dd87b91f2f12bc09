"""All metrics of a large mask pair, and the bootstrap."""

import numpy as np
import pandas as pd
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

from benchmarks.timing import compare, show
from lesionflow.evaluation.comparison import compare_tables
from lesionflow.evaluation.statistics import estimate_means
from lesionflow.metrics import HEADLINE, METRICS, score_pair
from lesionflow.metrics.detection import THRESHOLDS, detect_lesions
from lesionflow.metrics.surface import measure_surfaces

SHAPE, SPACING = (300, 512, 512), (2.5, 0.8, 0.8)
#: Center (slice, row, column) and radius in voxels of five lesions.
LESIONS = ((60, 150, 200, 12), (90, 300, 330, 20), (150, 220, 120, 8), (200, 380, 260, 16), (250, 256, 400, 10))


def _mask(shift: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    for s, r, c, radius in LESIONS:
        grid = np.ogrid[s - radius : s + radius + 1, r - radius : r + radius + 1, c - radius : c + radius + 1]
        ball = (grid[0] - s) ** 2 + (grid[1] - r) ** 2 + (grid[2] - c) ** 2 <= radius**2
        mask[s - radius : s + radius + 1, r - radius + shift : r + radius + 1 + shift, c - radius : c + radius + 1] |= (
            ball
        )
    return mask


def run() -> None:
    """Print the figures."""
    reference, predicted = _mask(0), _mask(2)
    one, other = (torch.from_numpy(m[None, None].astype(np.float32)) for m in (predicted, reference))

    def monai() -> None:
        compute_hausdorff_distance(one, other, include_background=True, percentile=95, spacing=SPACING)
        compute_surface_dice(one, other, class_thresholds=[2.0], include_background=True, spacing=SPACING)

    def surfaces() -> None:
        found = measure_surfaces(reference, predicted, SPACING)
        found.hausdorff_mm(95.0)
        found.surface_dice(2.0)

    title = "A pair of masks, 512 x 512 x 300, five lesions"
    calls = {"lesionflow, HD95 and surface Dice": surfaces, "MONAI, HD95 and surface Dice": monai}
    show(title, compare(calls, 3))
    show(
        f"{title}: all {len(METRICS)} metrics",
        compare({"lesionflow": lambda: score_pair(reference, predicted, SPACING)}, 3),
    )
    likely = predicted * np.float32(0.97)
    show(
        f"{title}: FROC at {len(THRESHOLDS)} thresholds",
        compare({"lesionflow": lambda: detect_lesions(reference, likely)}, 3),
    )
    random = np.random.default_rng(0)
    names = [f"m{i}" for i in range(20)]
    table = pd.DataFrame(random.random((200, 20)), columns=names).assign(patient_id=[f"p{i}" for i in range(200)])
    bootstrap = {"lesionflow": lambda: estimate_means(table, names, n_bootstrap=10_000, confidence_level=0.95, seed=1)}
    show("Bootstrap, 200 patients x 20 metrics x 10,000 draws", compare(bootstrap, 3))
    first, second = (_scores(random) for _ in range(2))
    paired = {"lesionflow": lambda: compare_tables(first, second, HEADLINE, confidence_level=0.95)}
    show(f"Paired comparison, 200 patients x {len(HEADLINE)} metrics", compare(paired, 3))


def _scores(random: np.random.Generator) -> pd.DataFrame:
    names = [f"{i:03}" for i in range(200)]
    return pd.DataFrame(random.random((200, len(HEADLINE))), columns=list(HEADLINE)).assign(
        case_id=names, patient_id=names, target="tumor"
    )
