import numpy as np
import pytest

from lesionflow.data.dataset import Dataset
from lesionflow.data.fingerprint import CaseFacts, Fingerprint
from lesionflow.data.plan import ArchitecturePlan, InferencePlan, Plan
from lesionflow.errors import ConfigError
from lesionflow.planning.decisions import make_plan
from lesionflow.planning.facts import summarize_facts

PETCT = Dataset(name="d", channels={"CT": "ct", "PET": "pet"}, labels={"tumor": 1}, regions={})
UNET = ArchitecturePlan(name="unet", options={"base_channels": 16, "depth": 4})
RULES = InferencePlan(
    overlap_fraction=0.5, flip_axes=(), probability_threshold=0.5, min_lesion_ml=0.0, fill_holes=False
)


def _facts(number: int, spacing: tuple[float, float, float], tumor: tuple[float, float] = (30.0, 5.0)) -> CaseFacts:
    random = np.random.default_rng(number)
    body = np.stack([random.normal(0, 100, 2000), random.gamma(1.0, 1.0, 2000)]).astype(np.float32)
    inside = np.stack([random.normal(tumor[0], 10, 500), np.full(500, tumor[1])]).astype(np.float32)
    return CaseFacts(f"c-{number}", spacing, (40, 200, 300), 20.0 + number, body, inside)


def _memory_mb(_: int, __: ArchitecturePlan, ___: int, patch: tuple[int, int, int]) -> tuple[float, float]:
    """100 MB for the weights, and a sample's 1 MB for each 1000 voxels that a network sees in plane or in all."""
    return 100.0, float(np.prod(patch)) / (1000 if patch[0] != 3 else 3000)


def _plan(fingerprint: Fingerprint, dataset: Dataset = PETCT, **changes: object) -> Plan:
    given: dict = {
        "dimensions": 2, "spacing_mm": (None, None, None), "patch_size": None, "batch_size": None, "context_slices": 3,
        "memory_budget_mb": 2000, "ct_window_hu": None, "dark_background": None, "denoising": "none", "bias_field_correction": False,
        "cascade": False, "architecture": UNET, "offered": (2, 3), "size_multiple": 16, "inference": RULES, "memory_mb": _memory_mb, **changes,
    }  # fmt: skip
    return make_plan(fingerprint, dataset, **given)


FINGERPRINT = summarize_facts([_facts(i, (3.0, s, s)) for i, s in enumerate((0.8, 1.0, 1.2))])


@pytest.mark.parametrize(("slice_mm", "thick"), [(1.0, 0), (1.9, 0), (2.0, 1), (3.3, 1), (4.1, 2), (50.0, 4)])
def test_thick_slices_are_halved_from_where_pixels_are_nearly_as_large(slice_mm: float, thick: int) -> None:
    auto = ArchitecturePlan(
        name="residual_encoder_unet", options={"base_channels": 16, "depth": 4, "thick_levels": "auto"}
    )
    pinned = {"dimensions": 3, "spacing_mm": (slice_mm, 1.0, 1.0), "memory_budget_mb": 64000}
    plan = _plan(FINGERPRINT, architecture=auto, **pinned)
    assert plan.architecture.options["thick_levels"] == thick
    assert plan.patch_size[0] % (16 // 2**thick) == 0
    # 40 slices of 3 mm cover 120 mm.
    assert 0 <= plan.patch_size[0] - min(120 / slice_mm, 160) < 16 // 2**thick
    with pytest.raises(ConfigError, match=rf"multiples of {16 // 2**thick} x 16 x 16.*Set it to \[\d+, 32, 32\]"):
        _plan(FINGERPRINT, architecture=auto, patch_size=(2 * 16 // 2**thick, 24, 32), **pinned)
    assert _plan(FINGERPRINT, architecture=auto).architecture.options["thick_levels"] == 0


def test_a_pinned_patch_larger_than_most_bodies_says_so() -> None:
    """A body of 200 x 300 voxels of 1 mm is one of 50 x 75 voxels of 4 mm."""
    reasons = {
        patch: next(d.why for d in _plan(FINGERPRINT, spacing_mm=(None, 4.0, 4.0), patch_size=patch).decisions
                    if d.what == "patch_size")
        for patch in ((3, 48, 80), (3, 96, 80))
    }  # fmt: skip
    assert "beyond" not in reasons[3, 48, 80]
    assert "50 x 75 voxels" in reasons[3, 96, 80]
    assert "lower plan.patch_size" in reasons[3, 96, 80]
