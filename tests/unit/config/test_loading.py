"""A params file is checked as a whole: every fault is named at once, with what was found."""

import json

import pytest
import yaml

from lesionflow.config import IngestConfig, RegisterConfig, SplitConfig, TrainConfig, load_params, load_section
from lesionflow.config.loading import check_params, section_text
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


PRESET = find_params("sts_petct").read_text(encoding="utf-8")


def _refused(tmp_path, *changes: tuple[str, str]) -> str:
    text = PRESET
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_params(tmp_path / "params.yaml")
    return str(raised.value)


def _line_of(part: str) -> int:
    return PRESET[: PRESET.index(part)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "path", "said"),
    [
        ("max_epochs: 30", "max_epochs: 30.0", "train.max_epochs", "valid integer"),
        ("max_epochs: 30", 'max_epochs: "30"', "train.max_epochs", "valid integer"),
        ("max_epochs: 30", "max_epochs: true", "train.max_epochs", "valid integer"),
        ("max_epochs: 30", "max_epochs: ~", "train.max_epochs", "valid integer"),
        ("deterministic: ", "deterministic: 1 # ", "train.deterministic", "valid boolean"),
        ("learning_rate: ", 'learning_rate: "0.1" # ', "train.learning_rate", "valid number"),
        ("optimizer: ", "optimizer: sdg # ", "train.optimizer", "Did you mean sgd?"),
        ("max_epochs: 30", "max_epochs: 30\n  max_epoch: 3", "train.max_epoch", "Did you mean max_epochs?"),
        ("reference_channel: CT", "reference_channel: ct", "ingest.reference_channel", "Did you mean CT?"),
        (
            "labels: {tumor: 1}",
            "labels: {tumour: 1}",
            "ingest.outlines",
            "found tumor. Did you mean tumour?",
        ),
        ("labels: {tumor: 1}", "labels: {tumor: 1, mass: 1}", "ingest.labels", "tumor and mass are both 1"),
        ("labels: {tumor: 1}", "labels: {tumor: 1, NCR/NET: 2, NCR_NET: 3}", "ingest.labels", "are one name"),
        ("labels: {tumor: 1}", "labels: {tumor: 1, Background: 2}", "ingest.labels", "reserved"),
        ("regions: {}", "regions: {whole: [1, 2]}", "ingest.regions", "region whole unites 2, but the labels are 1 tumor"),
        ("regions: {}", "regions: {whole: []}", "ingest.regions", "must unite at least one label"),
        ("regions: {}", "regions: {whole: [1], again: [1]}", "ingest.regions", "whole and again are the same labels"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_key_its_line_and_what_is_near(tmp_path, old, new, path, said) -> None:
    told = _refused(tmp_path, (old, new))
    line = _line_of(old) + new.count("\n")
    if path == "ingest.outlines":
        line = _line_of("outlines:")
    assert f"  {path} (line {line}): " in told
    assert said in told


def test_a_channels_unknown_key_and_a_missing_key_are_named_where_they_belong(tmp_path) -> None:
    told = _refused(tmp_path, ("PET: {kind: pet,", "PET: {knd: pet,"))
    line = _line_of("PET: {kind: pet,")
    assert f"ingest.channels.PET.knd (line {line}): " in told
    assert "Did you mean kind?" in told
    assert f"ingest.channels.PET.kind (line {line}): Field required" in told


@pytest.mark.parametrize("written", [".inf", "-.inf", ".nan", "1.0e+400", "1e-3", "010", "12:30", "on"])
def test_what_is_not_finite_or_has_two_readings_is_refused_by_its_line(tmp_path, written) -> None:
    told = _refused(tmp_path, ("max_suv: ", f"max_suv: {written} # "))
    assert "readable YAML params file" in told
    assert f"line {_line_of('max_suv: ')}: {written} " in told


def test_a_section_comes_as_a_text_too_and_keeps_the_order_of_its_labels() -> None:
    values = yaml.safe_load(PRESET)["ingest"]
    for names in (["tumor", "liver", "necrosis"], ["necrosis", "tumor", "liver"]):
        values["labels"] = {name: number for number, name in enumerate(names, 1)}
        for text in (section_text(values), yaml.safe_dump(values, sort_keys=False)):
            section = load_section(IngestConfig, text, "ingest")
            assert list(section.labels) == names
            assert section == load_section(IngestConfig, values, "ingest")


def test_small_numbers_and_words_survive_a_sections_text() -> None:
    values = yaml.safe_load(PRESET)["train"] | {"learning_rate": 1e-5}
    assert json.loads(section_text(values)) == values
    assert load_section(TrainConfig, section_text(values), "train").learning_rate == 0.00001


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"seed": 1, "seed": 2}', "twice among seed, seed"),
        ("seed: 1\nseed: 2", "the key seed stands twice"),
        ('{"seed": ', "as YAML or JSON"),
        ("a: [", "as YAML or JSON"),
        ("", "does not fit"),
        ("[1]", "does not fit"),
        ('{"seed": NaN}', "does not fit"),
        ("{" * 100_000, "as YAML or JSON"),
    ],
    ids=["twice", "twice-yaml", "cut", "cut-yaml", "empty", "list", "nan", "deep"],
)
def test_a_sections_text_that_is_none_is_refused_by_name(text, told) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        load_section(SplitConfig, text, "split")
    assert "params section `split`" in str(caught.value)


def test_a_section_is_checked_strictly() -> None:
    values = yaml.safe_load(PRESET)["split"]
    for wrong in ("3", 3.0, 3.5, True, None, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match="n_folds"):
            load_section(SplitConfig, {**values, "n_folds": wrong}, "split")
    with pytest.raises(ConfigError, match="does not fit"):
        load_section(SplitConfig, {**values, "n_folds": {1, 2}}, "split")


def test_a_networks_options_are_finite_too() -> None:
    content = yaml.safe_load(PRESET)
    content["plan"]["architecture"]["options"]["dropout_fraction"] = [0.1, float("nan")]
    with pytest.raises(ConfigError, match="finite numbers, found others in dropout_fraction"):
        check_params(content, "mine.yaml")


def test_every_label_belongs_to_a_region_where_there_are_any() -> None:
    content = yaml.safe_load(PRESET)
    content["ingest"] |= {"labels": {"NCR/NET": 1, "edema": 2}, "regions": {"edema": [1]}, "outlines": []}
    with pytest.raises(ConfigError) as raised:
        check_params(content, "mine.yaml")
    assert "region edema does not hold the label edema (2)" in str(raised.value)
    assert "2 edema belongs to none" in str(raised.value)
    content["ingest"]["regions"] = {"whole": [1, 2], "NCR/NET": [1]}
    assert check_params(content, "mine.yaml")["ingest"]["labels"] == {"NCR/NET": 1, "edema": 2}
