"""Whole presets are made from a base and what each says for itself; what they hold is held against what they held as whole files."""

import json
import shutil
from functools import reduce
from pathlib import Path

import pytest
import yaml

from lesionflow.config import Params
from lesionflow.config.presets import PRESETS
from lesionflow.config.presets.build import BASE, REPLACED_WHOLE, SOURCES, main, make_presets
from lesionflow.config.sections.section import Section
from lesionflow.errors import ConfigError

#: A key, the presets that hold its value (`*`: all), the value: of the files that were written whole, before there were sources.
BEFORE = json.loads(Path(__file__).with_name("values_when_whole_files.json").read_text(encoding="utf-8"))
NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))


def _values(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _at(content, key):
    return reduce(lambda found, name: found[name], key.split("."), content)


def _flat(content, where=""):
    for name, value in content.items():
        path = f"{where}{name}"
        if isinstance(value, dict) and path not in REPLACED_WHOLE:
            yield from _flat(value, f"{path}.")
        else:
            yield path, value


@pytest.fixture
def sources(tmp_path):
    return shutil.copytree(SOURCES, tmp_path / "sources")


def _edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_presets_that_ship_are_current():
    for name, text in make_presets().items():
        current = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8")
        assert current == text, f"Run `make presets`: the preset {name} is not what sources/ say."
    assert list(make_presets()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_holds_what_it_held_as_a_whole_file(name):
    before = {key: value for key, presets, value in BEFORE if presets == "*" or name in presets.split()}
    now = _values(PRESETS / f"{name}.yaml")
    assert len(before) == 120
    # As JSON, so that 1 and 1.0 differ: a plan's digest tells them apart.
    assert {key: json.dumps(_at(now, key)) for key in before} == {k: json.dumps(v) for k, v in before.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_source_says_only_what_differs_from_the_base(name):
    base, own = dict(_flat(_values(BASE))), dict(_flat(_values(SOURCES / f"{name}.yaml")))
    assert [key for key, value in own.items() if key in base and base[key] == value] == []


def test_the_base_holds_what_half_of_the_presets_hold():
    presets = [_values(PRESETS / f"{name}.yaml") for name in NAMES]
    held = {key: sum(_at(preset, key) == value for preset in presets) for key, value in _flat(_values(BASE))}
    assert {key: count for key, count in held.items() if count < len(NAMES) / 2} == {}


def test_mappings_of_free_names_are_those_replaced_whole():
    def mappings(kind, where=""):
        for name, field in kind.model_fields.items():
            path = f"{where}{field.alias or name}"
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
                yield from mappings(field.annotation, f"{path}.")
            elif getattr(field.annotation, "__origin__", None) is dict:
                yield path

    # The names of severities are those of the checks: all presets have the same.
    assert set(mappings(Params)) - {"validate.severity"} == set(REPLACED_WHOLE)


def test_a_mapping_of_free_names_replaces_the_bases(sources):
    _edit(sources / "base.yaml", "  labels: {tumor: 1}", "  labels: {tumor: 1, cyst: 9}")
    assert yaml.safe_load(make_presets(sources)["nuclei_2d"])["ingest"]["labels"] == {"nucleus": 1}


def test_a_key_of_a_section_leaves_its_neighbors_to_the_base(sources):
    made = yaml.safe_load(make_presets(sources)["lung_2d"])["validate"]["severity"]
    assert (made["tumor_volume"], made["spacing"], made["drift"]) == ("off", "quarantine", "warn")


def test_a_new_key_is_written_in_the_base_alone(sources, monkeypatch):
    """Beside its section: here one that a test adds."""
    _edit(sources / "base.yaml", "  n_worst_cases: 10", "  n_worst_cases: 10\n  n_best_cases: 4")
    with pytest.raises(ConfigError, match=r"evaluate\.n_best_cases"):
        make_presets(sources)

    class WithNewKey(Params.model_fields["evaluate"].annotation):
        n_best_cases: int

    class ParamsWithNewKey(Params):
        evaluate: WithNewKey

    monkeypatch.setattr("lesionflow.config.loading.Params", ParamsWithNewKey)
    monkeypatch.setattr("lesionflow.config.presets.build.Params", ParamsWithNewKey)
    made = {name: yaml.safe_load(text)["evaluate"] for name, text in make_presets(sources).items()}
    assert {name: section["n_best_cases"] for name, section in made.items()} == dict.fromkeys(NAMES, 4)
    assert all(list(section)[-1] == "n_best_cases" for section in made.values())


def test_a_key_that_neither_source_gives_is_named_with_its_preset(sources):
    _edit(sources / "liver_2d.yaml", "  dataset_name: liver_2d\n", "")
    with pytest.raises(ConfigError, match=r"(?s)Preset liver_2d.*ingest\.dataset_name"):
        make_presets(sources)


@pytest.mark.parametrize(("text", "said"), [("a: [", "readable YAML"), ("- a\n", "mapping of sections")])
def test_a_broken_source_is_named(sources, text, said):
    (sources / "liver_2d.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        make_presets(sources)


def test_numbers_and_quotes_stay_as_they_are_written(sources):
    _edit(sources / "brats_table.yaml", "learning_rate: 1.0e-4", "learning_rate: 1.0e-6")
    made = make_presets(sources)
    assert "\n  learning_rate: 1.0e-6\n" in made["brats_table"]
    assert '\n    tumor_volume: "off"\n' in made["lung_2d"]


def test_the_command_writes_what_changed_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("lesionflow.config.presets.build.PRESETS", tmp_path)
    made = make_presets()
    (tmp_path / "lung_2d.yaml").write_text(made["lung_2d"], encoding="utf-8")
    assert main() == 0
    assert {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.yaml")} == made
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 * len(NAMES) + 1  # and a change plan each, and one for any
    assert [line for line in said if line.endswith("as before")] == [f"{tmp_path / 'lung_2d.yaml'}: as before"]
