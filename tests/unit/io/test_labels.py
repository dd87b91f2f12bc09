import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import InputError
from lesionflow.io.labels import as_declared, is_one_structure, tell_nearly_full, translate, unite, wanted_parts
from lesionflow.io.notes import collected
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


def test_structures_are_translated_by_name_or_rule_and_others_dropped_aloud():
    declared = {"cancer left": (9,), "kidney": (4,), "cyst": (5,), "vein": (6,)}
    with collected() as notes:
        assert values(translate(mask(0, 9, 4, 5, 9, 0), declared, TWO, name="c-1")) == [0, 2, 1, 0, 2, 0]
    assert [note.code for note in notes] == ["dropped_structure"]
    assert "cyst (1 voxels)" in notes[0].message
    assert "vein" not in notes[0].message


def test_a_structure_that_may_be_a_wanted_label_by_another_name_is_refused_where_it_is_present():
    declared = {"kidney": (1,), "mass": (2,)}
    wanted = ReadingRules({}, "", {"kidney": 1, "tumor": 2})
    assert refusal(lambda: translate(mask(0, 1, 2, 0, 0, 0), declared, wanted, name="c-1")) == "unmatched_structure"
    assert values(translate(mask(0, 1, 1, 0, 0, 0), declared, wanted, name="c-1")) == [0, 1, 1, 0, 0, 0]
    said = ReadingRules({}, "", {"kidney": 1, "tumor": 2}, (("mass", "background"),))
    with collected() as notes:
        assert values(translate(mask(0, 1, 2, 0, 0, 0), declared, said, name="c-1")) == [0, 1, 0, 0, 0, 0]
        assert values(translate(mask(0, 1, 2, 0, 0, 0), declared, wanted, name="c-1", apart=("mass",)))[2] == 0
    assert [note.code for note in notes] == ["dropped_structure"]


def test_numbers_of_a_region_that_nobody_names_are_not_believed():
    declared = {"whole": (1, 2, 3)}
    assert refusal(lambda: translate(mask(0, 1, 2, 3, 0, 0), declared, TWO, name="c-1")) == "no_matching_outline"


def test_background_is_nothing_whatever_its_number_or_rule():
    rules = ReadingRules({}, "", {"tumor": 1}, (("(?i).*", "tumor"),))
    declared = {"Background": (1,), "tumor": (2,)}
    assert values(translate(mask(0, 1, 2, 1, 0, 0), declared, rules, name="c-1")) == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize("declared", [{"tumor": (0,), "background": (1,)}, {"kidney": (1,), "ignore": (0,)}])
def test_a_structure_can_not_have_the_number_of_background(declared):
    assert refusal(lambda: translate(mask(0, 1, 1, 0, 0, 0), declared, TWO, name="c-1")) == "broken_dataset_json"


def test_values_that_nobody_declared_are_refused():
    declared = {"kidney": (4,)}
    assert refusal(lambda: translate(mask(0, 4, 5, 0, 0, 0), declared, TWO, name="c-1")) == "unknown_label"
    assert refusal(lambda: translate(mask(0, 0, 5, 0, 0, 0), {"cyst": (5,)}, TWO, name="c-1")) == "no_matching_outline"
    assert refusal(lambda: translate(mask(0, 0, 0, 0, 0, 0), {"kidney": (256,)}, TWO, name="c-1")) == (
        "broken_dataset_json"
    )


@pytest.mark.parametrize(("label", "inside"), [(1, 1), (1, 255), (7, 7), (7, 255)])
def test_inside_is_the_only_label(label, inside):
    rules = ReadingRules({}, "", {"tumor": label})
    assert values(as_declared(mask(0, inside, inside, 0, 0, 0), rules, name="c-1")) == [0, label, label, 0, 0, 0]


def test_a_1_where_the_only_label_is_another_number_may_be_the_organ_around_it():
    """LiTS: liver 1, tumor 2, a case without tumor, and rules that want the tumor alone."""
    assert refusal(lambda: as_declared(mask(0, 1, 1, 0, 0, 0), ONE, name="c-1")) == "unknown_label"


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


def test_what_is_to_be_ignored_wins_over_all():
    tumor, unknown = (np.array(v, bool).reshape(1, 2, 3) for v in ([1, 1, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0]))
    assert values(unite([(255, unknown), (2, tumor)], GRID, TWO)) == [2, 255, 255, 0, 0, 0]


def test_parts_are_chosen_by_name_and_the_rest_is_said():
    one, none = np.ones((1, 2, 3), bool), np.zeros((1, 2, 3), bool)
    with collected() as notes:
        found = wanted_parts([("Cancer", one), ("kidney", none), ("vein", one), ("cyst", none)], TWO, name="c-1")
    assert [(label, bool(voxels.any())) for label, voxels in found] == [(2, True), (1, False)]
    assert [note.message.split("takes ")[1].split(":")[0] for note in notes] == ["vein (6 voxels)"]
    assert refusal(lambda: wanted_parts([("vein", one)], TWO, name="c-1")) == "no_matching_outline"


@pytest.mark.parametrize(
    ("inside", "is_one"), [((1, 1), True), ((255, 255), True), ((1, 255), False), ((2, 2), False), ((0, 0), False)]
)
def test_one_structure_is_1_or_255_alone(inside, is_one):
    assert is_one_structure(mask(0, *inside, 0, 0, 0)) == is_one


def united(call):
    with collected() as notes:
        call()
    return [note.message for note in notes if note.code == "united_structures"]


def test_structures_of_one_label_are_united_aloud_where_they_are_present():
    declared = {"cancer left": (3,), "cancer right": (4,), "cancer old": (5,), "kidney": (6,)}
    (said,) = united(lambda: translate(mask(0, 3, 4, 6, 0, 0), declared, TWO, name="c-1"))
    assert "cancer left, cancer right of c-1" in said
    assert united(lambda: translate(mask(0, 3, 3, 6, 0, 0), declared, TWO, name="c-1")) == []


def test_named_segments_of_one_label_are_united_aloud():
    some, none = np.ones(GRID.shape, bool), np.zeros(GRID.shape, bool)
    (said,) = united(lambda: wanted_parts([("cancer a", some), ("cancer b", some)], TWO, name="c-1"))
    assert "cancer a, cancer b of c-1" in said
    assert (
        united(lambda: wanted_parts([("cancer a", some), ("cancer b", none), ("kidney", some)], TWO, name="c-1")) == []
    )


def test_a_label_of_nearly_all_voxels_is_spoken_of():
    grid = Geometry.from_parts((1, 10, 10), (1.0, 1.0, 1.0))
    for n_inside, expected in ((90, []), (91, ["mask_nearly_full"])):
        labels = np.zeros(100, np.uint8)
        labels[:n_inside] = 2
        with collected() as notes:
            tell_nearly_full(Mask(labels.reshape(grid.shape), grid), "c-1")
            tell_nearly_full(None, "c-2")
            tell_nearly_full(Mask(np.full(grid.shape, 255, np.uint8), grid), "c-3")
        assert [note.code for note in notes] == expected
