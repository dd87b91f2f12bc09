import dataclasses
import json

import pytest
import yaml

from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.bundles import read_bundle, write_bundle
from lesionflow.steps.fan_out.sweep import changed_params, choose_candidate, read_candidates
from support.bundles import small_bundle

TRAIN = load_params(PRESETS / "phantom_ct.yaml")["train"]


def test_of_keys_that_hold_keys_only_those_that_are_named_change():
    text = "learning_rate: 0.01\naugmentation:\n  noise_std: 0.2\n"
    made = changed_params(json.dumps(TRAIN), text)
    assert {name for name in TRAIN if made[name] != TRAIN[name]} == {"learning_rate", "augmentation"}
    assert made["learning_rate"] == 0.01
    assert made["augmentation"] == {**TRAIN["augmentation"], "noise_std": 0.2}
    assert changed_params(TRAIN, "{}") == TRAIN


@pytest.mark.parametrize(
    ("changes", "told"),
    [("learning_rat: 0.1", "Did you mean learning_rate"), ("learning_rate: -1", "learning_rate"), ("[1]", "keys with values"), ("", "keys with values"), ("{", "YAML or JSON")],
)  # fmt: skip
def test_changes_that_do_not_fit_are_refused_by_name(changes, told):
    with pytest.raises(ConfigError, match=told):
        changed_params(TRAIN, changes)


def test_a_file_of_candidates_is_read_and_the_faulty_one_is_named(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text("- learning_rate: 0.001\n- {}\n- loss: dice_bce\n", encoding="utf-8")
    assert [json.loads(text) for text in read_candidates(path, TRAIN)] == yaml.safe_load(path.read_text())
    for content, told in (
        ("- learning_rate: 0.001\n- los: dice\n", "(?s)Candidate 2 of sweep.yaml.*los"),
        ("learning_rate: 1\n", "list of candidates"),
        ("[]", "list of candidates"),
        ("- [", "YAML list of candidates at .*sweep.yaml"),
    ):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(ConfigError, match=told):
            read_candidates(path, TRAIN)
    with pytest.raises(ConfigError, match="No such file"):
        read_candidates(tmp_path / "none.yaml", TRAIN)


def _candidates(folder, *scores):
    for number, score in enumerate(scores):
        bundle = small_bundle(seed=number)
        card = bundle.card.model_copy(update={"validation_dice": score})
        write_bundle(folder / str(number), dataclasses.replace(bundle, card=card))
    return [folder / str(number) for number in range(len(scores))]


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ((0.3, 0.7, 0.5), 1),
        ((0.7, 0.7, 0.5), 0),
        ((0.1,), 0),
    ],
)
def test_the_best_by_its_validation_cases_goes_on_byte_for_byte(tmp_path, scores, best):
    candidates = _candidates(tmp_path, *scores)
    counts = choose_candidate(candidates, tmp_path / "chosen")
    assert (counts["candidate"], counts["n_candidates"]) == (best, len(scores))
    chosen = {path.name: path.read_bytes() for path in (tmp_path / "chosen").iterdir()}
    assert chosen == {path.name: path.read_bytes() for path in candidates[best].iterdir()}
    assert read_bundle(tmp_path / "chosen").digest == read_bundle(candidates[best]).digest


def test_candidates_of_other_validation_cases_are_not_compared(tmp_path):
    with pytest.raises(ConfigError, match="same validation cases"):
        changed_params(TRAIN, "folds: ensemble")
    candidates = _candidates(tmp_path, 0.3, 0.7)
    bundle = small_bundle(seed=1)
    card = bundle.card.model_copy(update={"validation_dice": 0.7, "validation_cases": ("c-000009",)})
    write_bundle(candidates[1], dataclasses.replace(bundle, card=card))
    with pytest.raises(ConfigError, match="same validation cases"):
        choose_candidate(candidates, tmp_path / "chosen")
    assert not (tmp_path / "chosen").exists()


def test_without_candidates_or_with_a_broken_one_nothing_is_chosen(tmp_path):
    with pytest.raises(ConfigError, match="found none"):
        choose_candidate([], tmp_path / "chosen")
    candidates = _candidates(tmp_path, 0.9, 0.1)
    (candidates[1] / "weights.safetensors").write_bytes(b"")
    with pytest.raises(ArtifactError):
        choose_candidate(candidates, tmp_path / "chosen")
    assert not (tmp_path / "chosen").exists()
