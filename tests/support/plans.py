"""Facts of made CT + PET cases, and the plan that follows from them."""

import numpy as np

from lesionflow.data.dataset import Dataset
from lesionflow.data.fingerprint import CaseFacts, Fingerprint
from lesionflow.data.plan import ArchitecturePlan, InferencePlan, Plan
from lesionflow.planning.decisions import make_plan
from lesionflow.planning.facts import summarize_facts

PETCT = Dataset(name="d", channels={"CT": "ct", "PET": "pet"}, labels={"tumor": 1}, regions={})
UNET = ArchitecturePlan(name="unet", options={"base_channels": 16, "depth": 4})
RULES = InferencePlan(
    overlap_fraction=0.5, flip_axes=(), probability_threshold=0.5, min_lesion_ml=0.0, fill_holes=False
)


def make_facts(number: int, spacing: tuple[float, float, float], tumor: tuple[float, float] = (30.0, 5.0)) -> CaseFacts:
    random = np.random.default_rng(number)
    body = np.stack([random.normal(0, 100, 2000), random.gamma(1.0, 1.0, 2000)]).astype(np.float32)
    inside = np.stack([random.normal(tumor[0], 10, 500), np.full(500, tumor[1])]).astype(np.float32)
    return CaseFacts(f"c-{number}", spacing, (40, 200, 300), 20.0 + number, body, inside)


def memory_by_size_mb(_: int, __: ArchitecturePlan, ___: int, patch: tuple[int, int, int]) -> tuple[float, float]:
    """100 MB for the weights, and a sample's 1 MB for each 1000 voxels that a network sees in plane or in all."""
    return 100.0, float(np.prod(patch)) / (1000 if patch[0] != 3 else 3000)


def plan_of(fingerprint: Fingerprint, dataset: Dataset = PETCT, **changes: object) -> Plan:
    given: dict = {
        "dimensions": 2, "spacing_mm": (None, None, None), "patch_size": None, "batch_size": None, "context_slices": 3,
        "memory_budget_mb": 2000, "ct_window_hu": None, "dark_background": None, "denoising": "none", "bias_field_correction": False,
        "cascade": False, "architecture": UNET, "offered": (2, 3), "size_multiple": 16, "inference": RULES, "memory_mb": memory_by_size_mb, **changes,
    }  # fmt: skip
    return make_plan(fingerprint, dataset, **given)


FINGERPRINT = summarize_facts([make_facts(i, (3.0, s, s)) for i, s in enumerate((0.8, 1.0, 1.2))])
