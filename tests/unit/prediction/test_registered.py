"""What the programs of registered versions call."""

import ast

import pytest

from lesionflow.errors import ArtifactError
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.prediction.registered import BundledModel
from lesionflow.prediction.study import predict_study, segment_study


def test_it_answers_as_predict_does(bundle_folder, model, segmenter, study, tmp_path):
    volumes_ml = BundledModel(bundle_folder).segment(study, tmp_path / "ours" / "mask.nii.gz")
    assert volumes_ml == segment_study(model, segmenter, study).segmentation.volumes_ml
    predict_study(model, segmenter, study, tmp_path / "mask.nii.gz", output_format="nifti")
    assert (tmp_path / "ours" / "mask.nii.gz").read_bytes() == (tmp_path / "mask.nii.gz").read_bytes()
    assert [path.name for path in (tmp_path / "ours").iterdir()] == ["mask.nii.gz"], "no report beside it"


def test_without_an_output_nothing_is_written(bundle_folder, study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert BundledModel(bundle_folder).segment(study)["tumor"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_no_bundle_is_refused(tmp_path):
    with pytest.raises(ArtifactError):
        BundledModel(tmp_path)


def test_a_stored_program_knows_no_other_module_of_ours():
    nodes = ast.walk(ast.parse(MLFLOW_PROGRAM.read_text(encoding="utf-8")))
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    ours = [ast.unparse(node) for node in imports if "lesionflow" in ast.unparse(node)]
    assert ours == ["from lesionflow.prediction.registered import BundledModel"]
