"""`trace`: from a file alone to its model in the registry, and what of the chain is broken."""

import json
import shutil

import nibabel
import numpy as np
import pytest

from lesionflow.cli import main
from lesionflow.data.ledger import EntryKind
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.cases import image_path
from lesionflow.io.stores.ledger import append_entry
from lesionflow.prediction.passport import Passport
from lesionflow.registry.mlflow_store import connect
from lesionflow.workspace.layout import dvc_yaml
from support.bundles import constant_bundle
from support.dicom_factory import write_series

NAME = "lesionflow-knees"
pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def mask(store, tmp_path, capsys):
    """A mask of version 2, its report gone."""
    path = tmp_path / "mask.nii.gz"
    assert main(["predict", str(image_path(store[0] / "cases", "c-000001", 0)), "-o", str(path), "--model", "2"]) == 0
    path.with_name("mask.nii.gz.json").rename(tmp_path / "report.json")
    capsys.readouterr()
    return path


def test_a_mask_alone_is_traced_to_its_model(mask, capsys):
    assert main(["trace", str(mask)]) == 0
    said = capsys.readouterr().out
    passport = json.loads((mask.parent / "report.json").read_text())["passport"]
    assert f"{NAME} version 2, aliases challenger" in said
    for field in ("run_id", "result_id", "input_sha256", "plan_sha256", "code_revision", "data_revision"):
        assert passport[field] in said
    assert passport["mask"]["sha256"] in said
    assert "mask.nii.gz: whole" in said
    assert "not checked  data" in said, "there is no workspace here"
    assert main(["trace", str(mask.parent / "report.json")]) == 0


def test_a_dicom_seg_is_traced_by_itself(store, tmp_path, capsys):
    series = write_series(tmp_path / "study", shape=(5, 16, 24))
    assert main(["predict", str(series.folder), "-o", str(tmp_path / "mask.dcm"), "--model", "1"]) == 0
    (tmp_path / "mask.dcm.json").unlink()
    capsys.readouterr()
    assert main(["trace", str(tmp_path / "mask.dcm")]) == 0
    assert f"{NAME} version 1" in capsys.readouterr().out


def test_a_mask_that_was_emptied_ends_with_5(mask, capsys):
    image = nibabel.load(mask)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj) * 0, image.affine, image.header), mask)
    assert main(["trace", str(mask)]) == 5
    said = capsys.readouterr()
    assert "ALTERED  mask" in said.out
    assert "found otherwise: mask" in said.err


def test_a_forged_passport_is_told_by_the_registered_bundle(mask, capsys):
    """Somebody who seals it anew is caught by what the bundle says of itself."""
    image = nibabel.load(mask)
    told = Passport.model_validate_json(image.header.extensions[0].get_content().rstrip(b"\0"))
    forged = told.model_copy(update={"run_id": "better-run", "model_version": "1"}).for_file()
    image.header.extensions[0] = nibabel.nifti1.Nifti1Extension(6, forged.encode())
    nibabel.save(image, mask)
    assert main(["trace", str(mask)]) == 5
    said = capsys.readouterr().out
    assert "ok  passport" in said
    assert "ALTERED  run_id: the passport says better-run, the registered bundle " in said
    assert f"ALTERED  model: the passport says {NAME} version 1, but its bundle is {NAME} version 2" in said


def test_a_model_that_was_deleted_is_told(mask, store, tmp_path, capsys, monkeypatch):
    shutil.copyfile(store[0] / "store" / "mlflow.db", tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    connect(uri).delete_model_version(NAME, "2")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert main(["trace", str(mask)]) == 5
    said = capsys.readouterr().out
    assert "ok  mask" in said
    assert f"BROKEN  model: no version of {NAME} has this bundle: it was deleted" in said


def test_a_model_that_was_barred_since_is_told_by_ledger_and_by_its_tag(mask, store, tmp_path, capsys, monkeypatch):
    """The mask is what it was; who looks at it must know that nobody trusts its model any longer."""
    shutil.copyfile(store[0] / "store" / "mlflow.db", tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    work = tmp_path / "work"
    (work / "data").mkdir(parents=True)
    (work / "dvc.yaml").write_text(dvc_yaml())
    about = {"model_name": NAME, "version": "1", "before": "2", "reason": "misses small tumors", "name": "A. Smith"}
    append_entry(work / "data" / "ledger.jsonl", EntryKind.ROLLBACK, about)
    assert main(["trace", str(mask), "--workdir", str(work)]) == 0
    said = capsys.readouterr().out
    assert "BARRED  bar: version 2, barred on 20" in said
    assert "(rollback: misses small tumors)" in said
    assert "mask.nii.gz: whole, but the model that made it is barred" in said
    # Where no ledger is at hand the tag of its version tells.
    assert main(["trace", str(mask)]) == 0
    assert "BARRED" not in capsys.readouterr().out
    connect(uri).set_model_version_tag(NAME, "2", "barred", "since 2026-05-01 (rollback: slow)")
    assert main(["trace", str(mask)]) == 0
    assert "BARRED  bar: version 2, barred since 2026-05-01 (rollback: slow)" in capsys.readouterr().out


def test_a_mask_of_a_bundle_that_nobody_registered_says_so(store, tmp_path, capsys):
    write_bundle(tmp_path / "bundle", constant_bundle(8.0))
    mask = tmp_path / "mask.nii.gz"
    image = str(image_path(store[0] / "cases", "c-000000", 0))
    assert main(["predict", image, "-o", str(mask), "--model", str(tmp_path / "bundle")]) == 0
    assert main(["trace", str(mask)]) == 5
    assert "no version of knees has this bundle" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["{", "[]", '{"passport": {}}', '{"targets": []}'])
def test_a_report_without_a_passport_is_named(tmp_path, capsys, content):
    (tmp_path / "mask.json").write_text(content)
    assert main(["trace", str(tmp_path / "mask.json")]) == 5
    assert "passport" in capsys.readouterr().err


def test_what_says_nothing_of_its_origin_and_what_is_not_there(store, tmp_path, capsys):
    (tmp_path / "mask.png").write_bytes(b"\x89PNG")
    assert main(["trace", str(tmp_path / "mask.png")]) == 5
    # An image of somebody else's.
    assert main(["trace", str(image_path(store[0] / "cases", "c-000000", 0))]) == 5
    assert "ABSENT  passport" in capsys.readouterr().out
    assert main(["trace", str(tmp_path / "none.dcm")]) == 2
    assert "found no file there" in capsys.readouterr().err
