import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import InputError
from lesionflow.io.labels import as_declared, translate, unite
from lesionflow.io.rules import ReadingRules

GRID = Geometry.from_parts((1, 2, 3), (3.0, 0.8, 0.5))
ONE = ReadingRules({}, "", {"tumor": 7})
TWO = ReadingRules({}, "", {"kidney": 1, "tumor": 2}, (("(?i)cancer.*", "tumor"),))


def mask(*values):
    return Mask(np.array(values, np.uint8).reshape(1, 2, 3), GRID)


def values(found):
    return found.labels.ravel().tolist()


def refusal(call):
    with pytest.raises(InputError, match="c-1") as caught:
        call()
    return caught.value.reason


def test_structures_are_translated_by_name_or_rule_and_others_dropped():
    declared = {"cancer left": (9,), "kidney": (4,), "cyst": (5,)}
    assert values(translate(mask(0, 9, 4, 5, 9, 0), declared, TWO, name="c-1")) == [0, 2, 1, 0, 2, 0]


def test_a_region_keeps_its_labels():
    assert values(translate(mask(0, 1, 2, 3, 0, 0), {"whole": (1, 2, 3)}, TWO, name="c-1")) == [0, 1, 2, 0, 0, 0]


def test_values_that_nobody_declared_are_refused():
    declared = {"kidney": (4,)}
    assert refusal(lambda: translate(mask(0, 4, 5, 0, 0, 0), declared, TWO, name="c-1")) == "unknown_label"
    assert refusal(lambda: translate(mask(0, 0, 5, 0, 0, 0), {"cyst": (5,)}, TWO, name="c-1")) == "no_matching_outline"
    assert refusal(lambda: translate(mask(0, 0, 0, 0, 0, 0), {"kidney": (256,)}, TWO, name="c-1")) == (
        "broken_dataset_json"
    )


@pytest.mark.parametrize("inside", [1, 255])
def test_inside_is_the_only_label(inside):
    assert values(as_declared(mask(0, inside, inside, 0, 0, 0), ONE, name="c-1")) == [0, 7, 7, 0, 0, 0]


def test_declared_values_stay():
    assert values(as_declared(mask(0, 1, 2, 0, 0, 2), TWO, name="c-1")) == [0, 1, 2, 0, 0, 2]


@pytest.mark.parametrize("rules", [ONE, TWO])
def test_other_values_are_refused(rules):
    assert refusal(lambda: as_declared(mask(0, 3, 3, 0, 0, 0), rules, name="c-1")) == "unknown_label"
    assert refusal(lambda: as_declared(mask(0, 1, 255, 0, 0, 0), rules, name="c-1")) == "unknown_label"


def test_the_later_label_wins_where_structures_overlap_whatever_their_order():
    kidney = np.array([1, 1, 1, 0, 0, 0], bool).reshape(1, 2, 3)
    tumor = np.array([0, 0, 1, 1, 0, 0], bool).reshape(1, 2, 3)
    for parts in ([(2, tumor), (1, kidney)], [(1, kidney), (2, tumor)]):
        assert values(unite(parts, GRID, TWO)) == [1, 1, 2, 2, 0, 0]
