"""Each form of a model from the command line; a network whose answer differs is another test's."""

import json
from pathlib import Path

import pytest

from lesionflow.cli import main
from lesionflow.cli.bundles.model_forms import _study_files
from lesionflow.errors import ConfigError
from lesionflow.io.stores.bundles import write_bundle
from support.bundles import threshold_bundle


def test_a_bundle_is_exported_by_its_folder_and_how_near_it_is_is_told(tmp_path, capsys):
    pytest.importorskip("onnx")
    write_bundle(tmp_path / "bundle", threshold_bundle(40.0, 0))
    assert main(["export", "onnx", str(tmp_path / "n.onnx"), "--model", str(tmp_path / "bundle")]) == 0
    said = capsys.readouterr()
    assert "logits at most" in said.out
    assert "unsigned" in said.err
    assert (tmp_path / "n.onnx").stat().st_size > 1000
    assert main(["export", "sbom", str(tmp_path / "n.cdx.json"), "--model", str(tmp_path / "bundle")]) == 0
    assert json.loads((tmp_path / "n.cdx.json").read_text())["bomFormat"] == "CycloneDX"
    assert main(["export", "croissant", str(tmp_path / "c.json"), "--workdir", str(tmp_path)]) != 0


def test_what_monai_cant_say_is_told_and_nothing_written(tmp_path, capsys):
    write_bundle(tmp_path / "bundle", threshold_bundle(40.0, 0))
    assert main(["export", "monai", str(tmp_path / "monai"), "--model", str(tmp_path / "bundle")]) != 0
    assert "3 context slices" in capsys.readouterr().err
    assert not (tmp_path / "monai").exists()


def test_a_study_is_told_by_its_channels():
    assert _study_files([], ["CT"]) is None
    assert _study_files(["a.nii.gz"], ["CT"]) == {"CT": Path("a.nii.gz")}
    assert _study_files(["PET=p.nii", "CT=c.nii"], ["CT", "PET"]) == {"CT": Path("c.nii"), "PET": Path("p.nii")}
    with pytest.raises(ConfigError, match="CT=FILE PET=FILE"):
        _study_files(["CT=c.nii"], ["CT", "PET"])
