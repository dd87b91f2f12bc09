"""A params file is checked as a whole: every fault is named at once, with what was found."""

import pytest
import yaml

from lesionflow.config import RegisterConfig, load_params, load_section
from lesionflow.config.loading import check_params
from lesionflow.config.presets import find_params
from lesionflow.errors import ConfigError


def test_the_sections_come_back_as_they_are_written():
    path = find_params("sts_petct")
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    read = load_params(path)
    assert list(read) == list(written)
    for section in written.keys() - {"ingest"}:
        assert read[section] == written[section]
    # The only keys with a default: which body part and kernel a series shows need not be said.
    channel = {**written["ingest"]["channels"]["PET"], "body_part": "", "reconstruction_kernel": ""}
    assert read["ingest"]["channels"]["PET"] == channel


def test_every_fault_is_named_at_once():
    content = yaml.safe_load(find_params("phantom_ct").read_text(encoding="utf-8"))
    content["split"]["test_fraction"] = 1.5
    content["train"]["max_epoch"] = content["train"].pop("max_epochs")
    with pytest.raises(ConfigError) as raised:
        check_params(content, "mine.yaml")
    said = str(raised.value)
    assert "mine.yaml does not fit; mend these 3 entries" in said
    assert all(part in said for part in ("split.test_fraction", "(found 1.5)", "train.max_epochs", "train.max_epoch:"))


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\xfa"])
def test_a_file_that_is_no_yaml_is_refused_by_name(content, tmp_path):
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"readable YAML params file at .*params\.yaml"):
        load_params(tmp_path / "params.yaml")


def test_one_section_is_checked_alone():
    assert load_section(RegisterConfig, {"model_name": "a-b"}, "register").model_name == "a-b"
    with pytest.raises(ConfigError, match=r"(?s)section `register`.*model_name.*found 'a b'"):
        load_section(RegisterConfig, {"model_name": "a b"}, "register")


@pytest.mark.parametrize(
    "text", ["a: 2026-99-99", "a: !!int x", "a: !!timestamp x", "[" * 3000], ids=["date", "int", "timestamp", "deep"]
)
def test_what_yaml_itself_stumbles_over_is_refused_by_name(tmp_path, text) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError, match="Expected a readable YAML params file"):
        load_params(tmp_path / "params.yaml")
