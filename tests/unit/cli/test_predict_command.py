"""`predict`: the format follows the file's name, nothing is overwritten unasked, and cheap faults are told first."""

import json
import re

import nibabel
import numpy as np
import pytest

from lesionflow.cli import main
from lesionflow.data.ledger import EntryKind
from lesionflow.io.stores.cases import image_path
from lesionflow.io.stores.ledger import append_entry, ledger_path
from lesionflow.workspace.layout import PATHS, STAGES

pytestmark = pytest.mark.usefixtures("here")


def image_of(store, number=1):
    return image_path(store[0] / "cases", f"c-00000{number}", 0)


@pytest.mark.parametrize(
    ("name", "magic"),
    [
        ("mask.nii.gz", b"\x1f\x8b"),
        ("mask.NII", b"\x5c\x01\x00\x00"),
        ("MASK.NII.GZ", b"\x1f\x8b"),
        ("mask.png", b"\x89PNG"),
    ],
)
def test_the_files_name_says_the_format(store, tmp_path, capsys, name, magic):
    mask = tmp_path / name
    assert main(["predict", f"CT={image_of(store)}", "-o", str(mask), "--model", "2"]) == 0
    # 5 x 40 x 56 voxels of 3.0 x 0.8 x 0.5 mm: 13.44 ml, all of it tumor.
    assert re.search(r"tumor 13\.44 ml in 1 lesion \(lesionflow-knees, version 2\)", capsys.readouterr().out)
    assert mask.read_bytes().startswith(magic)
    if ".nii" in name.lower():
        assert np.asarray(nibabel.load(mask).dataobj).min() == 1
    assert {path.name for path in tmp_path.iterdir()} >= {name, f"{name}.json"}


def test_a_name_in_json_asks_for_the_report_alone(store, tmp_path):
    assert main(["predict", str(image_of(store)), "-o", str(tmp_path / "m.json"), "--model", "2"]) == 0
    assert json.loads((tmp_path / "m.json").read_text())["targets"][0]["volume_ml"] == pytest.approx(13.44)
    assert not list(tmp_path.glob("m.json.*"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["-o", "n.dcm", "--format", "nifti"],
            "the format nifti to end with .nii.gz or .nii, found 'n.dcm', which is dicom-seg's",
        ),
        (
            ["-o", "n.mha"],
            ".png (png), .rtstruct.dcm (rtstruct), .json (json), .html (html), .pdf (pdf), .fhir.json (fhir), found 'n.mha'",
        ),
        (["-o", "mask"], "found 'mask'"),
        (["-o", ".nii.gz"], "found '.nii.gz'"),
        (["-o", "m.json", "--format", "png"], "to end with .png, found 'm.json', which is json's"),
    ],
)
def test_a_name_that_says_otherwise_or_nothing_is_refused_before_anything_is_loaded(
    store, tmp_path, capsys, options, said
):
    assert main(["predict", str(image_of(store)), *options, "--model", "no such"]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "Expected a study at nowhere"),
        (["a", "b"], "found several paths"),
        (["CT=gone"], "Expected a study at gone"),
    ],
)
def test_a_study_that_is_not_there_is_named_before_the_model(monkeypatch, tmp_path, capsys, arguments, said):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    assert main(["predict", *arguments, "-o", "mask.nii.gz"]) == 2
    assert said in capsys.readouterr().err


def test_a_store_that_is_not_there_is_not_made(store, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert main(["predict", str(image_of(store)), "-o", "mask.nii.gz"]) == 6
    said = capsys.readouterr().err
    assert "--workdir" in said
    assert "MLFLOW_TRACKING_URI" in said
    assert not list(tmp_path.iterdir())


def test_the_study_is_not_written_over(store, tmp_path, capsys):
    image = tmp_path / "ct.nii.gz"
    image.write_bytes(image_of(store).read_bytes())
    before = image.read_bytes()
    for source in (str(image), f"CT={image}"):
        assert main(["predict", source, "-o", str(image), "--model", "2"]) == 2
        assert "another file than the study" in capsys.readouterr().err
    assert image.read_bytes() == before
    assert main(["predict", str(image), "-o", str(tmp_path)]) == 2
    assert "found a folder" in capsys.readouterr().err


def test_in_a_workspace_the_ledger_knows_what_a_version_was(store, tmp_path, capsys):
    """Whoever exchanges files and digest together in MLflow can't write to the ledger."""
    (tmp_path / STAGES).write_text("stages: {}\n")
    words = ["predict", str(image_path(store[0] / "cases", "c-000001", 0)), "-o", "mask.nii.gz", "--model"]
    ledger = ledger_path(tmp_path / PATHS["splits"])
    append_entry(
        ledger, EntryKind.REGISTERED, {"model_name": "lesionflow-knees", "version": "2", "bundle_digest": "0" * 64}
    )
    assert main([*words, "2"]) == 5
    said = capsys.readouterr().err
    assert "Expected bundle 000000000000 in lesionflow-knees version 2 by the ledger" in said
    assert not (tmp_path / "mask.nii.gz").exists()
    assert main([*words, "1"]) == 0
