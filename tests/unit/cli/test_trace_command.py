"""`trace`: by the report beside a mask, or, where it was not kept, by what the mask itself says."""

import json

import pytest

from lesionflow.cli import main
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.cases import image_path
from support.bundles import constant_bundle
from support.dicom_factory import write_series

NAME = "lesionflow-knees"
pytestmark = pytest.mark.usefixtures("here")


@pytest.mark.parametrize("kept", ["report", "mask alone"])
def test_a_mask_is_traced_to_its_model(store, tmp_path, capsys, kept):
    mask = tmp_path / "mask.nii.gz"
    image = image_path(store[0] / "cases", "c-000001", 0)
    assert main(["predict", str(image), "-o", str(mask), "--model", "2"]) == 0
    report = mask.with_name("mask.nii.gz.json")
    run_id = json.loads(report.read_text())["passport"]["run_id"]
    if kept == "mask alone":
        report.unlink()
    capsys.readouterr()
    assert main(["trace", str(mask)]) == 0
    said = capsys.readouterr().out
    assert f"{NAME} version 2, aliases challenger" in said
    assert run_id in said
    if kept == "report":
        assert main(["trace", str(report)]) == 0


def test_a_dicom_seg_as_the_service_sends_it_is_traced_by_its_header(store, tmp_path, capsys):
    series = write_series(tmp_path / "study", shape=(5, 16, 24))
    mask = tmp_path / "mask.dcm"
    assert main(["predict", str(series.folder), "-o", str(mask), "--model", "1"]) == 0
    (tmp_path / "mask.dcm.json").unlink()
    capsys.readouterr()
    assert main(["trace", str(mask)]) == 0
    said = capsys.readouterr().out
    assert f"{NAME} version 1" in said
    assert "model_version  1" in said


def test_a_mask_of_a_bundle_that_nobody_registered_says_so(store, tmp_path, capsys):
    write_bundle(tmp_path / "bundle", constant_bundle(8.0))
    mask = tmp_path / "mask.nii.gz"
    image = str(image_path(store[0] / "cases", "c-000000", 0))
    assert main(["predict", image, "-o", str(mask), "--model", str(tmp_path / "bundle")]) == 0
    assert main(["trace", str(mask)]) == 0
    assert "no version of knees has this bundle" in capsys.readouterr().out
    mask.with_name("mask.nii.gz.json").unlink()
    assert main(["trace", str(mask)]) == 0
    assert "no version of any model has this bundle" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["{", "[]", '{"passport": {}}'])
def test_a_report_without_a_passport_is_named(tmp_path, capsys, content):
    (tmp_path / "mask.nii.gz").write_bytes(b"")
    (tmp_path / "mask.nii.gz.json").write_text(content)
    assert main(["trace", str(tmp_path / "mask.nii.gz")]) == 5
    assert "a report with a passport" in capsys.readouterr().err


def test_what_says_nothing_of_its_origin_and_what_is_not_there(store, tmp_path, capsys):
    (tmp_path / "mask.png").write_bytes(b"\x89PNG")
    assert main(["trace", str(tmp_path / "mask.png")]) == 5
    assert "keep the report" in capsys.readouterr().err
    # An image of somebody else's.
    assert main(["trace", str(image_path(store[0] / "cases", "c-000000", 0))]) == 5
    assert main(["trace", str(tmp_path / "none.dcm")]) == 2
    assert "found no file there" in capsys.readouterr().err
