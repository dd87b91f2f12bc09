"""What a change of a key of `plan` makes anew, as `params explain` says, held against the plans that the step writes."""

import copy
import json

import pytest

from lesionflow.config import ArchitectureConfig, MadeAnew
from lesionflow.config.loading import load_params
from lesionflow.config.presets import find_params
from lesionflow.config.reference import list_keys
from lesionflow.data.split import Fold, Split
from lesionflow.io.stores.plans import read_plan
from lesionflow.steps import run_step
from support.case_folders import write_cases

#: Another value of each key that decides something for CTs of a few slices.
OTHERS = {
    "dimensions": 3,
    "spacing_mm": ["auto", 1.0, 1.0],
    "patch_size": [3, 32, 48],
    "batch_size": 3,
    "context_slices": 1,
    "memory_budget_mb": 600,
    "ct_window_hu": [-50.0, 120.0],
    "denoising": "median",
    "bias_field_correction": True,
    "architecture.name": "attention_unet",
    "architecture.options": {"base_channels": 4, "depth": 3, "normalization": "batch", "activation": "leaky_relu", "residual": False, "dropout_fraction": 0.0},
    "inference.overlap_fraction": 0.5,
    "inference.flip_axes": [1],
    "inference.probability_threshold": 0.6,
    "inference.min_lesion_ml": 0.7,
    "inference.fill_holes": False,
}  # fmt: skip
#: They decide nothing for such cases: of pictures alone, of volumes alone, of data that are added.
ELSEWHERE = {"dark_background", "cascade", "keep_within_fraction"}
KEYS = {key.path.removeprefix("plan."): key for key in list_keys() if key.step == "plan"}
BASIS = load_params(find_params("phantom_ct"))["plan"] | {
    "spacing_mm": ["auto"] * 3, "patch_size": "auto", "batch_size": "auto",
}  # fmt: skip


@pytest.fixture(scope="module")
def plan_of(tmp_path_factory):
    """A function that runs the step with a changed key on eight CTs of 5 x 40 x 56 voxels."""
    folder = tmp_path_factory.mktemp("plan")
    case_ids = list(write_cases(folder / "cases")["case_id"])
    fold = Fold(train=tuple(case_ids[:4]), validation=tuple(case_ids[4:6]))
    split = Split(
        seed=0, fold=0, folds=(fold,), test=tuple(case_ids[6:]), test_patients=("p-6", "p-7"), other_patients=("p-0",)
    )
    (folder / "splits.json").write_text(split.model_dump_json())

    def make(path=None, value=None):
        params = copy.deepcopy(BASIS)
        section, _, name = (path or "").rpartition(".")
        if path:
            (params[section] if section else params)[name] = value
        made = folder / f"plan-{path}.json"
        run_step("plan", params, {"cases": folder / "cases", "splits": folder / "splits.json"}, {"plan": made})
        return read_plan(made)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LESIONFLOW_WORKERS", "1")
        yield make


@pytest.fixture(scope="module")
def before(plan_of):
    return plan_of()


def test_every_key_is_tried():
    assert set(OTHERS) | ELSEWHERE == set(KEYS)


@pytest.mark.parametrize("path", OTHERS)
def test_a_changed_key_makes_anew_what_is_said(path, plan_of, before):
    after = plan_of(path, OTHERS[path])
    assert after.digest() != before.digest()
    arrays = after.preprocessing_digest() != before.preprocessing_digest()
    assert KEYS[path].made_anew is (MadeAnew.ARRAYS if arrays else MadeAnew.PLAN)


def test_numbers_of_options_are_whole_whoever_hands_them_over():
    given = {
        "base_channels": 16.0,
        "depth": 4,
        "n_blocks": [1.0, 2.0],
        "dropout_fraction": 0.5,
        "normalization": "batch",
    }
    found = ArchitectureConfig(name="unet", options=given).options
    assert json.dumps(found) == json.dumps({**given, "base_channels": 16, "n_blocks": [1, 2]})
