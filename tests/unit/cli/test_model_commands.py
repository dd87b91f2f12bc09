"""`models`, `predict`, `trace` and `serve` as a user calls them, on a store of two versions whose answers are known."""

import json
import re
import sys

import nibabel
import numpy as np
import pytest

from lesionflow.cli import main, model_commands
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.cases import image_path
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.models import register_bundle
from lesionflow.registry.tracking import Tracker
from support.bundles import constant_bundle
from support.case_folders import write_cases
from support.stores import empty_store

NAME = "lesionflow-knees"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder with cases, a store with version 1 (finds nothing) and version 2 (calls all tumor), bundles beside."""
    folder = tmp_path_factory.mktemp("models")
    uri = empty_store(folder / "store")
    tracker = Tracker(uri, "knees")
    write_cases(folder / "cases", 2)
    for number, logit in ((1, -9.0), (2, 9.0)):
        run_id = tracker.start_run("train")
        write_bundle(folder / f"bundle{number}", constant_bundle(logit, run_id))
        register_bundle(
            tracker, run_id, folder / f"bundle{number}", NAME, program=MLFLOW_PROGRAM, tags={"test_dice": f"0.{number}"}
        )
    return folder, uri


@pytest.fixture(autouse=True)
def _environment(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store[1])
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")
    monkeypatch.delenv("LESIONFLOW_MODEL_NAME", raising=False)


def test_champions_are_made_and_taken_back_by_hand(store, capsys) -> None:
    assert main(["models", "promote", "1"]) == 0
    assert "champion was none, is 1. No gate was asked." in capsys.readouterr().out
    assert main(["models", "promote", "challenger"]) == 0
    assert "champion was 1, is 2" in capsys.readouterr().out
    assert main(["models", "rollback"]) == 0
    assert "champion was 2, is 1" in capsys.readouterr().out
    assert main(["models", "list", "--model-name", NAME]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    versions = {row[1]: row[2] for row in rows if row[:1] == [NAME]}
    assert (set(versions), versions["1"]) == ({"1", "2"}, "champion")
    assert main(["models", "show", "9"]) == 5
    assert "Expected a version '9'" in capsys.readouterr().err


def test_an_empty_store_says_so(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path))
    assert main(["models", "list"]) == 0
    assert "No model is registered" in capsys.readouterr().out
    assert main(["models", "show", "champion"]) == 2
    assert "found none. Name it with --model-name" in " ".join(capsys.readouterr().err.split())


def test_a_mask_is_predicted_and_traced_to_its_model(store, tmp_path, capsys) -> None:
    folder, _ = store
    image = image_path(folder / "cases", "c-000001", 0)
    mask = tmp_path / "mask.nii.gz"
    assert main(["predict", f"CT={image}", "-o", str(mask), "--model", "2"]) == 0
    said = capsys.readouterr().out
    # 5 x 40 x 56 voxels of 3.0 x 0.8 x 0.5 mm: 13.44 ml, all of it tumor.
    assert re.search(r"tumor 13\.44 ml in 1 lesions \(lesionflow-knees, version 2\)", said)
    assert np.asarray(nibabel.load(mask).dataobj).min() == 1
    assert main(["trace", str(mask)]) == 0
    said = capsys.readouterr().out
    assert f"{NAME} version 2, aliases challenger" in said
    report = mask.with_name("mask.nii.gz.json")
    passport = json.loads(report.read_text())["passport"]
    assert passport["code_revision"] in said
    assert main(["trace", str(report)]) == 0


def test_a_mask_of_a_bundle_that_nobody_registered_says_so(store, tmp_path, capsys) -> None:
    folder, _ = store
    write_bundle(tmp_path / "bundle", constant_bundle(8.0))
    mask = tmp_path / "mask.nii.gz"
    image = str(image_path(folder / "cases", "c-000000", 0))
    assert main(["predict", image, "-o", str(mask), "--model", str(tmp_path / "bundle")]) == 0
    assert main(["trace", str(mask)]) == 0
    assert "no version of knees has this bundle" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "{", "[]", '{"passport": {}}'])
def test_a_mask_without_a_passport_cannot_be_traced(tmp_path, capsys, content) -> None:
    if content is not None:
        (tmp_path / "mask.nii.gz.json").write_text(content)
    assert main(["trace", str(tmp_path / "mask.nii.gz")]) == 5
    assert "with a passport beside the mask" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "Expected a study at nowhere"),
        (["a", "b"], "found several paths"),
        (["CT=gone"], "Expected a study at gone"),
    ],
)
def test_studies_that_are_not_there_are_named(store, tmp_path, capsys, arguments, said) -> None:
    model = ["--model", str(store[0] / "bundle1")]
    assert main(["predict", *arguments, "-o", str(tmp_path / "mask.nii.gz"), *model]) == 2
    assert said in capsys.readouterr().err


def test_serving_starts_the_service_with_the_model_that_is_meant(store, monkeypatch) -> None:
    # The service itself has tests of its own; here a program stands in that writes down how it was called.
    folder, uri = store
    called = folder / "called.json"
    program = folder / "program.sh"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {called}\nexit 7\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    assert main(["serve", "--port", "3123"]) == 7
    expected = [
        "-m",
        "lesionflow.serving",
        "--host",
        "127.0.0.1",
        "--port",
        "3123",
        "--model",
        "champion",
        "--tracking-uri",
        uri,
    ]
    assert called.read_text().split() == [*expected, "--model-name", NAME]
    assert main(["serve", "--model", str(folder / "bundle1")]) == 7
    assert "--model-name" not in called.read_text().split()


def test_the_name_of_the_model_may_come_from_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("LESIONFLOW_MODEL_NAME", "other")
    assert model_commands._model_name(None, model_commands.Settings()) == "other"
    assert model_commands._model_name("given", model_commands.Settings()) == "given"
