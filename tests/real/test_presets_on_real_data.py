"""The presets of the papers' tasks on real pictures and volumes of their kind: from one folder to a model."""

import shutil

import pytest

from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.io.stores.cases import read_case, read_table
from lesionflow.steps import STEPS, run_step
from lesionflow.workspace.layout import PATHS
from support.task_data import shrunk

pytestmark = pytest.mark.real


def run_steps(workdir, params, names, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_WORKERS", "2")
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")
    for name in names:
        step = STEPS[name]
        inputs, outputs = ({key: workdir / PATHS[key] for key in keys} for keys in (step.inputs, step.outputs))
        run_step(name, params[name], inputs, outputs)


def test_nuclei_from_pictures_with_a_mask_a_nucleus(shared_data, tmp_path, monkeypatch):
    source = shared_data / "dsb2018" / "stage1_train"
    for folder in sorted(source.iterdir())[:14]:
        shutil.copytree(folder, tmp_path / PATHS["raw"] / folder.name)
    params = shrunk(PRESETS / "nuclei_2d.yaml")
    run_steps(tmp_path, params, ("ingest", "validate", "split", "plan", "preprocess", "train"), monkeypatch)
    bundle = read_bundle(tmp_path / PATHS["bundle"])
    assert [target.name for target in bundle.plan.targets] == ["nucleus"]
    assert len(read_table(tmp_path / PATHS["cases"])) == 14
    # Pictures have no millimeters: a pixel stays a pixel.
    assert bundle.plan.spacing_mm == (None, 1.0, 1.0)


def test_lung_tumors_from_slices_kept_as_pictures(shared_data, tmp_path, monkeypatch):
    shutil.copytree(shared_data / "msd06_lung_2d_png", tmp_path / PATHS["raw"])
    params = shrunk(PRESETS / "lung_2d.yaml")
    run_steps(tmp_path, params, ("ingest", "validate", "split", "plan", "preprocess", "train"), monkeypatch)
    bundle, table = read_bundle(tmp_path / PATHS["bundle"]), read_table(tmp_path / PATHS["cases"])
    assert len(table) == 24
    assert table["patient_id"].nunique() == 12
    of_patient = dict(zip(table["case_id"], table["patient_id"], strict=True))
    trained, judged = (
        {of_patient[c] for c in cases} for cases in (bundle.card.trained_cases, bundle.card.validation_cases)
    )
    assert not trained & judged


def test_glioma_of_brats_is_read_as_the_preset_says(shared_data, tmp_path, monkeypatch):
    shutil.copytree(shared_data / "brats" / "BraTS2021_00006", tmp_path / PATHS["raw"] / "BraTS2021_00006")
    for preset in ("brats_3d", "brats_table"):
        params = load_params(PRESETS / f"{preset}.yaml")
        run_steps(tmp_path, params, ("ingest",), monkeypatch)
        (case_id,) = read_table(tmp_path / PATHS["cases"])["case_id"]
        case = read_case(tmp_path / PATHS["cases"], case_id)
        assert case.channels == ("FLAIR", "T1", "T1CE", "T2")
        assert {int(label) for label in set(case.reference_mask.labels.ravel())} == {0, 1, 2, 3}
