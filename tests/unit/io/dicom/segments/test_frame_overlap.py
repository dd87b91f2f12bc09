import numpy as np
import pytest

from lesionflow.errors import DicomError
from lesionflow.io.dicom.segments.frame_overlap import Places, slices_apart

AXES = np.array([[0, 1, 0], [0, 0, 1]])
#: Rows run the other way.
TURNED = np.array([[0, -1, 0], [0, 0, 1]])
FRAME = np.array([[0, 1, 1], [0, 0, 1]])


def add(places, segment, pixels, corner, steps=AXES):
    places.add(segment, pixels, np.array(corner), steps)


def test_frames_of_other_slices_segments_or_parts_of_a_slice_are_no_copies():
    places = Places("c-1")
    add(places, 1, FRAME, (4, 0, 0))
    add(places, 1, 1 - FRAME, (5, 0, 0))
    add(places, 2, 1 - FRAME, (4, 0, 0))
    add(places, 1, 1 - FRAME, (4, 2, 0))
    add(places, 1, 1 - FRAME, (4, 0, 3))


def test_the_same_frame_twice_is_one():
    places = Places("c-1")
    add(places, 1, FRAME, (4, 0, 0))
    add(places, 1, FRAME, (4, 0, 0))
    add(places, 1, FRAME[::-1], (4, 1, 0), TURNED)


@pytest.mark.parametrize(
    ("pixels", "corner"),
    [(1 - FRAME, (4, 0, 0)), (0 * FRAME, (4, 0, 0)), (2 * FRAME, (4, 0, 0)), (FRAME, (4, 1, 0))],
    ids=["another content", "an empty one", "another value", "one over a part"],
)
def test_two_unlike_frames_of_one_place_are_refused(pixels, corner):
    places = Places("c-1")
    add(places, 1, FRAME, (4, 0, 0))
    with pytest.raises(DicomError, match="c-1") as caught:
        add(places, 1, pixels, corner)
    assert caught.value.reason == "duplicate_slice_position"


@pytest.mark.parametrize(
    ("told", "apart"),
    [
        ({0: True, 2: True, 4: True}, 2),
        ({0: True, 3: True, 6: True, 9: True, 12: False}, 3),  # what lies beyond it says nothing
        ({0: True, 1: False, 2: True, 3: False, 4: True}, 1),  # somebody said that nothing lies between
        ({0: True, 2: True}, 1),  # two lesions
        ({0: True, 2: True, 5: True}, 1),
        ({0: True, 1: True, 2: True}, 1),
        ({0: False}, 1),
    ],
)
def test_slices_that_are_evenly_apart_are_stripes(told, apart):
    assert slices_apart(told) == apart


def test_a_striped_segment_is_refused_and_another_beside_it_is_not_blamed():
    places = Places("c-1")
    for number in (0, 2, 4):
        add(places, 2, FRAME, (number // 2, 0, 0))
    places.require_no_stripes()
    for number in (0, 2, 4):
        add(places, 1, FRAME, (number, 0, 0))
    with pytest.raises(DicomError) as refusal:
        places.require_no_stripes()
    assert refusal.value.reason == "outline_off_grid"
