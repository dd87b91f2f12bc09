"""Each key is described, and the ranges shown are those enforced: held against what `check_params` takes and refuses."""

import copy
import re
from itertools import chain

import pytest
import yaml

from lesionflow.config import MadeAnew, load_params
from lesionflow.config.loading import check_params
from lesionflow.config.presets import PRESETS, find_params
from lesionflow.config.reference import find_key, group_presets, list_keys, read_presets
from lesionflow.errors import ConfigError

KEYS, READ = list_keys(), read_presets()
BASIS = load_params(find_params("phantom_ct"))
#: Beyond any sensible value; where no bound is shown it must be taken.
FAR = 10**7


def _paths(content, where=""):
    for name, value in content.items():
        path = f"{where}{name}"
        known = any(key.path == path for key in KEYS)
        yield from [path] if known else _paths(value, f"{path}.")


def _takes(path, value):
    content = copy.deepcopy(BASIS)
    *above, last = path.split(".")
    section = content
    for name in above:
        section = section[name]
    section[last] = value
    if path == "ingest.regions":
        # A region may unite what is a label, and no other number.
        numbers = {number for united in value.values() for number in united} if isinstance(value, dict) else set()
        section["labels"], section["outlines"] = {f"label-{number}": number for number in numbers}, []
    try:
        check_params(content, "probe")
    except ConfigError as error:
        # Anything else that is wrong would be no answer.
        if path not in str(error):
            raise
        return False
    return True


def test_there_is_a_key_for_everything_in_a_preset_and_nothing_else():
    assert [key.path for key in KEYS if not key.of_entries] == list(_paths(BASIS))


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_each_key_is_described_in_a_sentence_or_two(key):
    assert re.fullmatch(r"[A-Z`].{8,}[^.]\.", key.about), key.about
    assert len(key.about) < 160
    assert "any value" not in key.allowed or key.path == "plan.architecture.options"
    assert isinstance(key.made_anew, MadeAnew)


def _probes(words):
    """Return values that a scalar's words take, and values that they refuse."""
    step = 1 if "whole" in words else 0.001
    taken, refused = [], []
    for pattern, inward in ((r"from N to", 1), (r" to N", -1), (r"at least N", 1)):
        for bound in map(float, re.findall(pattern.replace("N", r"(-?[\d.]+)"), words)):
            taken.append(bound)
            refused.append(bound - inward * step)
    for pattern, inward in ((r"above N", 1), (r"below N", -1)):
        for bound in map(float, re.findall(pattern.replace("N", r"(-?[\d.]+)"), words)):
            taken.append(bound + inward * step)
            refused.append(bound)
    taken += [] if re.search(r"from|at least|above", words) else [-FAR]
    taken += [] if re.search(r" to |below", words) else [FAR]
    as_type = int if "whole" in words else float
    return [as_type(value) for value in taken], [as_type(value) for value in refused]


NUMBERS = [key for key in KEYS if not key.of_entries and re.search(r"(^|each )a (whole )?number", key.allowed)]


@pytest.mark.parametrize("key", NUMBERS, ids=lambda key: key.path)
def test_the_ranges_shown_are_those_enforced(key):
    taken, refused = _probes(key.allowed)
    assert taken
    count = re.match(r"\[(\d+) entries", key.allowed)
    n = int(count[1]) if count else 1

    def wrapped(value):
        listed = [value] * n if "entries" in key.allowed else value
        return {"name": listed} if key.allowed.startswith("{") else listed

    assert [value for value in taken if not _takes(key.path, wrapped(value))] == []
    assert [value for value in refused if _takes(key.path, wrapped(value))] == []


#: Keys that may be any number, and why.
UNBOUNDED = {
    "evaluate.seed": "a seed",
    "plan.ct_window_hu": "Hounsfield units, below zero too; of a window, that one end is above the other is checked",
    "split.seed": "a seed",
    "train.seed": "a seed",
    "validate.ct_range_hu": "Hounsfield units, below zero too",
}
#: What is a share of one, by its name.
SHARES = r"_(fraction|probability|threshold|level|decay|exponent)$|_fraction\."
#: Named as one, but of which no largest is known.
NO_SHARES = {
    "train.augmentation.contrast_fraction": "f of a factor from 1 / (1 + f) to 1 + f",
    "train.augmentation.gamma_fraction": "f of a factor from 1 / (1 + f) to 1 + f",
    "train.weight_decay": "what the squares of all weights are multiplied by",
}


def missing_bounds(key):
    """Say which bound a number lacks: every one has a lowest value, a share of one a largest too."""
    for said in re.findall(r"\ba (?:whole )?number([^,\]}]*)", key.allowed):
        if not re.search(r"from -?[\d.]+ to|at least|above", said) and key.path not in UNBOUNDED:
            return f"{key.path} may be {key.allowed}: give it a lowest value, or say in UNBOUNDED why it has none"
        if re.search(SHARES, key.path) and not re.search(r" to |below ", said) and key.path not in NO_SHARES:
            return f"{key.path} may be {key.allowed}: a share of one has a largest value too"
    return ""


def test_every_number_has_its_bounds():
    assert len(NUMBERS) > 70
    assert [said for said in map(missing_bounds, KEYS) if said] == []
    # An exception is one.
    bounded = [key.path for key in NUMBERS if key.path in UNBOUNDED and re.search(r"at least|above|from", key.allowed)]
    assert bounded == []
    assert {*UNBOUNDED, *NO_SHARES} <= {key.path for key in NUMBERS}
    half = KEYS[0]._replace(path="train.kept_fraction", allowed="a number of at least 0")
    assert "a largest value too" in missing_bounds(half)
    for allowed in (
        "a number",
        "a number below 1",
        "a number up to 1",
        "[2 entries, each a number]",
        "[a number above 0, a number]",
    ):
        assert "give it a lowest value" in missing_bounds(half._replace(path="train.kept_mm", allowed=allowed)), allowed
    for allowed in ("a number from 0 to 1", "a number above 0 and up to 1", "a number of at least 0 and below 1"):
        assert not missing_bounds(half._replace(allowed=allowed)), allowed
    assert not missing_bounds(half._replace(path="train.max_minutes", allowed="a number above 0"))


CHOICES = [key for key in KEYS if not key.of_entries and re.search(r"^[a-z0-9_]+( or [a-z0-9_]+)+$", key.allowed)]


@pytest.mark.parametrize("key", CHOICES, ids=lambda key: key.path)
def test_the_choices_shown_are_those_taken(key):
    choices = [yaml.safe_load(word) for word in key.allowed.split(" or ")]
    assert [choice for choice in choices if not _takes(key.path, choice)] == []
    assert [choice for choice in ("nonsense", 4) if _takes(key.path, choice)] == []


def test_the_kinds_of_channels_shown_are_those_taken():
    kinds = find_key("channels.kind", KEYS, READ).allowed.split(" or ")
    rule = {"modality": "CT", "series_description": ""}
    assert kinds == ["ct", "pet", "mr", "picture"]
    assert all(_takes("ingest.channels", {"CT": {**rule, "kind": kind}}) for kind in kinds)
    assert not _takes("ingest.channels", {"CT": {**rule, "kind": "us"}})


def test_a_value_is_grouped_by_presets():
    assert group_presets("plan.inference.flip_axes", READ)["[0, 1, 2]"] == ["brats_3d"]
    assert group_presets("train.learning_rate", READ)["0.0001"] == ["brats_table"]
    names = sorted(path.stem for path in PRESETS.glob("*.yaml"))
    assert group_presets("split.test_fraction", READ) == {"0.25": names}
    assert sorted(chain.from_iterable(group_presets("train.max_minutes", READ).values())) == names
    assert group_presets("train.no_such", READ) == {}


def test_a_key_is_found_by_a_unique_end_of_its_path():
    assert find_key("max_minutes", KEYS, READ).path == "train.max_minutes"
    assert find_key("transfer.source", KEYS, READ).path == "train.transfer.source"
    assert find_key("plan.spacing_mm", KEYS, READ).path == "plan.spacing_mm"
    assert find_key("min_cases", KEYS, READ).path == "validate.min_cases"


def test_a_name_in_a_mapping_is_explained_as_its_mapping():
    mapping, entry = (find_key(name, KEYS, READ) for name in ("severity", "validate.severity.drift"))
    assert entry == mapping._replace(path="validate.severity.drift", allowed="fail or quarantine or warn or off")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train.max_minuts", r"Did you mean train\.max_minutes\?"),
        ("flip_axis", r"Did you mean plan\.inference\.flip_axes\?"),
        ("trian.loss", r"Did you mean train\.loss\?"),
        ("seed", r"found 3 of this name: split\.seed, train\.seed, evaluate\.seed"),
        ("validate.severity.draft", r"Did you mean validate\.severity\?"),
        ("wxyz", "`lesionflow params explain` lists all"),
    ],
)
def test_a_name_that_is_not_one_key_is_answered_with_what_is_near(name, said):
    with pytest.raises(ConfigError, match=said):
        find_key(name, KEYS, READ)


def test_who_reads_a_key_is_the_step_of_its_section():
    assert find_key("flip_axes", KEYS, READ).step == "plan"
    assert find_key("train.transfer.source", KEYS, READ).step == "train"
