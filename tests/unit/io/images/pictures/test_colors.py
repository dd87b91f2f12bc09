import numpy as np
import pytest

from lesionflow.io.images.pictures.colors import differing_colors, tell_color
from lesionflow.io.notes import collected


@pytest.mark.parametrize(
    ("color", "dtype", "called"),
    [
        ((255, 0, 0), np.uint8, "red"),
        ((250, 4, 9), np.uint8, "red"),
        ((0, 65535, 65535), np.uint16, "cyan"),
        ((255, 64, 128), np.uint8, "rgb(255, 64, 128)"),
    ],
)
def test_a_color_has_a_name(color, dtype, called):
    with collected() as notes:
        tell_color(np.array([color] * 3, dtype), "c-1")
    assert [note.message.rpartition(": ")[2] for note in notes] == [called]
    assert "c-1" in notes[0].message


def test_white_gray_and_nothing_are_not_spoken_of():
    with collected() as notes:
        for drawn in ([[255, 255, 255]], [[200, 199, 201]], np.zeros((0, 3))):
            tell_color(np.array(drawn, np.uint8), "c-1")
    assert notes == []


def said(color):
    with collected() as notes:
        tell_color(np.array([color], np.uint8), "c-1")
    return notes


def test_colors_that_differ_between_cases_are_counted():
    red, green = said((255, 0, 0)), said((0, 255, 0))
    ((code, message),) = differing_colors([red, green, red, []])
    assert code == "several_mask_colors"
    assert "red in 2 cases, green in 1 cases, white or none in 1 cases" in message
    assert differing_colors([red, red]) == []
    assert differing_colors([[], []]) == []


def test_two_colors_in_one_case_differ_too():
    assert differing_colors([said((255, 0, 0)) + said((0, 255, 0))])
