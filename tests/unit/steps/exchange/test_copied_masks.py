import numpy as np
import pytest

from lesionflow.data.case import Case
from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import InputError
from lesionflow.evaluation.mask_scoring import score_mask
from lesionflow.steps.exchange.copied_masks import find_copies, fingerprint

GEOMETRY = Geometry.from_parts((2, 6, 6), (3.0, 1.0, 1.0))
TARGETS = (Target(name="tumor", labels=(1,)),)


def labels(column=None):
    array = np.zeros((2, 6, 6), np.uint8)
    if column is not None:
        array[:, 1:4, column : column + 2] = 1
    return array


def found(*pairs):
    """Of cases c0, c1, ...: the reference and the mask that was given, each by the column where its tumor begins."""
    scored, prints = [], []
    for number, (reference, given) in enumerate(pairs):
        image = Volume(np.zeros((1, 2, 6, 6), np.float32), GEOMETRY)
        case = Case(f"c{number}", f"p{number}", ("CT",), image, Mask(labels(reference), GEOMETRY))
        mask = Mask(labels(given), GEOMETRY)
        scored.append(score_mask(case, mask, TARGETS))
        prints.append(fingerprint(mask))
    return find_copies(scored, prints)


def test_the_reference_given_as_masks_is_refused_and_counted():
    copies = found((0, 0), (1, 1), (2, 2), (3, 4))
    assert copies.sentences() == ("3 of 4 masks equal the reference voxel by voxel: c0, c1, c2.",)
    with pytest.raises(InputError, match=r"found the reference: 3 of 4 masks.*--copies allow") as caught:
        copies.require_few()
    assert caught.value.reason == "reference_copied"


def test_a_half_or_fewer_are_told_and_let_pass():
    copies = found((0, 0), (1, 2), (2, 3), (3, 1))
    assert copies.sentences() == ("1 of 4 masks equal the reference voxel by voxel: c0.",)
    copies.require_few()
    assert found((0, 1), (1, 2)).sentences() == ()


def test_nothing_found_where_nothing_is_is_no_copy_and_empty_masks_are_no_ones():
    copies = found((None, None), (None, None), (0, None), (1, 2))
    assert (copies.of_reference, copies.outlined, copies.sentences()) == ((), 2, ())
    copies.require_few()


def test_one_mask_for_several_cases_is_told():
    assert found((0, 2), (1, 3), (3, 2)).sentences() == ("One and the same mask was given for the cases c0, c2.",)
