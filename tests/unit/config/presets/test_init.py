"""Every preset is whole: it takes data of its kind through all steps to a bundle that segments a study."""

import numpy as np
import pytest

from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.config.presets import find_params
from lesionflow.data.plan import ArchitecturePlan
from lesionflow.errors import ConfigError
from lesionflow.inference import Segmenter
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.io.stores.cases import read_case, read_table
from lesionflow.models import size_multiple
from lesionflow.steps import STEPS, run_step
from lesionflow.workspace.layout import PATHS
from support.task_data import shrunk, write_task

PRESETS = sorted(PRESETS_FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_takes_data_of_its_kind_to_a_model(preset, tmp_path, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_WORKERS", "1")
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")
    params = shrunk(preset)
    write_task(tmp_path / PATHS["raw"], params["ingest"])
    for name in ("ingest", "validate", "split", "plan", "preprocess", "train"):
        step = STEPS[name]
        inputs, outputs = ({key: tmp_path / PATHS[key] for key in keys} for keys in (step.inputs, step.outputs))
        run_step(name, params[name], inputs, outputs)
    bundle = read_bundle(tmp_path / PATHS["bundle"])
    wanted = params["ingest"]["regions"] or params["ingest"]["labels"]
    assert {target.name for target in bundle.plan.targets} == set(wanted)
    assert bundle.plan.architecture.name == params["plan"]["architecture"]["name"]
    case_id = read_table(tmp_path / PATHS["cases"])["case_id"][0]
    case = read_case(tmp_path / PATHS["cases"], case_id)
    found = Segmenter(bundle, device="cpu").segment(case.volume, case_id=case_id)
    assert found.mask.labels.shape == case.volume.geometry.shape
    assert set(np.unique(found.mask.labels)) <= {0, *params["ingest"]["labels"].values()}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_presets_pinned_patch_fits_its_network(preset):
    plan = load_params(preset)["plan"]
    multiple = size_multiple(ArchitecturePlan.model_validate(plan["architecture"]))
    assert all(n % multiple == 0 for n in plan["patch_size"][0 if plan["dimensions"] == 3 else 1 :])


def test_a_name_that_no_file_system_takes_is_no_preset() -> None:
    with pytest.raises(ConfigError, match="Expected a params file or one of the presets"):
        find_params("n" * 5000)
