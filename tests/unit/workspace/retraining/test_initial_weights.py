import shutil

import pytest
import yaml

from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS
from lesionflow.workspace.retraining.initial_weights import read_source, set_source


@pytest.fixture
def params(tmp_path):
    return shutil.copyfile(PRESETS / "sts_petct.yaml", tmp_path / "params.yaml")


def test_only_the_source_changes_and_two_readers_of_yaml_agree(params):
    before = params.read_text().splitlines()
    assert set_source(params, "models:/lesionflow-sts-petct/12")
    after = params.read_text().splitlines()
    differing = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(differing) == 1
    assert read_source(params) == "models:/lesionflow-sts-petct/12"
    assert yaml.safe_load(params.read_text())["train"]["transfer"]["source"] == "models:/lesionflow-sts-petct/12"
    assert not set_source(params, "models:/lesionflow-sts-petct/12")
    assert set_source(params, "none")
    assert params.read_text().splitlines() == before


def test_comments_and_block_style_stay(params):
    text = params.read_text()
    line = next(one for one in text.splitlines() if one.strip().startswith("transfer:"))
    values = load_params(params)["train"]["transfer"]
    lines = ["  transfer:", "    source: none  # mine", '    sha256: ""']
    lines += [f"    {key}: {values[key]}" for key in ("frozen_epochs", "encoder_learning_rate_fraction")]
    params.write_text(text.replace(line, "\n".join(lines)))
    set_source(params, "models:/x/1")
    assert '    source: "models:/x/1"  # mine' in params.read_text().splitlines()
