"""Small pictures read back: which slice, which way up, how wide, where the outline."""

import io

import numpy as np
import pytest
from PIL import Image

from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.validation.thumbnails import CASES_A_SHEET, NOT_KNOWN, OUTLINE, SIDE, draw_sheets, draw_thumbnail

SHAPE, SPACING_MM = (6, 40, 50), (3.0, 1.0, 2.0)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def case(labels=None, direction=None, image=None, shape=SHAPE, spacing=SPACING_MM):
    geometry = Geometry.from_parts(shape, spacing, direction=direction)
    array = np.full((1, *shape), -160.0, np.float32) if image is None else image
    return Case("c-1", "p-1", ("CT",), Volume(array, geometry), None if labels is None else Mask(labels, geometry))


def test_pixels_keep_the_ratio_of_millimeters():
    # 40 rows of 1 mm and 50 columns of 2 mm: as high as 0.4 of its width.
    assert pixels(draw_thumbnail(case(), ("ct",))).shape == (round(SIDE * 0.4), SIDE, 3)


def test_the_slice_with_most_of_the_outline_is_drawn_and_outlined_where_it_lies():
    labels = np.zeros(SHAPE, np.uint8)
    labels[1, 10:12, 10:12] = 1
    labels[4, 5:15, 30:45] = 1
    image = np.full((1, *SHAPE), -160.0, np.float32)
    image[0, 4] = 240.0
    shown = pixels(draw_thumbnail(case(labels, image=image), ("ct",)))
    orange = np.argwhere((shown == OUTLINE).all(axis=-1))
    scale = SIDE / 100.0
    np.testing.assert_allclose(orange.min(axis=0), (5 * scale, 60 * scale), atol=2)
    np.testing.assert_allclose(orange.max(axis=0), (15 * scale, 90 * scale), atol=2)
    assert (shown[0, 0] == 255).all()


def test_without_an_outline_it_is_the_middle_slice():
    image = np.full((1, *SHAPE), -160.0, np.float32)
    image[0, 3] = 240.0
    assert (pixels(draw_thumbnail(case(image=image), ("ct",))) == 255).all()


@pytest.mark.parametrize("kind", ["ct", "pet", "mr"])
def test_each_kind_has_its_window_and_uptake_is_dark(kind):
    image = np.zeros((1, *SHAPE), np.float32)
    image[0, :, :, 25:] = {"ct": 240.0, "pet": 10.0, "mr": 7.0}[kind]
    if kind == "ct":
        image[0, :, :, :25] = -160.0
    shown = pixels(draw_thumbnail(case(image=image), (kind,)))[:, :, 0]
    left, right = shown[:, 10].mean(), shown[:, -10].mean()
    assert (left, right) == ((255, 0) if kind == "pet" else (0, 255))


def test_the_back_is_below_and_the_patients_left_at_the_right_however_the_array_lies():
    # Array axes (left, head, front): a bright corner at the back left must come out at the lower right.
    shape = (50, 6, 40)
    image = np.full((1, *shape), -160.0, np.float32)
    image[0, 40:, :, :8] = 240.0
    direction = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    shown = pixels(
        draw_thumbnail(case(direction=direction, image=image, shape=shape, spacing=(2.0, 3.0, 1.0)), ("ct",))
    )
    assert shown[-5, -5, 0] == 255
    assert (shown[5, -5, 0], shown[-5, 5, 0], shown[5, 5, 0]) == (0, 0, 0)


def test_sheets_hold_so_many_cases_and_frame_those_with_findings():
    png = draw_thumbnail(case(), ("ct",))
    pictures = [(f"c-{k}", png, "spacing" if k == 1 else "") for k in range(CASES_A_SHEET + 1)]
    first, second = draw_sheets(pictures)
    assert pixels(second).shape[1] < pixels(first).shape[1]
    red = (pixels(first) == (240, 90, 70)).all(axis=-1)
    columns = np.flatnonzero(red.any(axis=0))
    # The second of eight columns alone.
    assert columns.min() > SIDE
    assert columns.max() < 2 * (SIDE + 8)
    assert not (pixels(second) == (240, 90, 70)).all(axis=-1).any()
    assert draw_sheets([]) == []


def test_what_is_not_known_is_drawn_in_a_color_of_its_own_and_does_not_choose_the_slice():
    labels = np.zeros(SHAPE, np.uint8)
    labels[1, 2:5, 2:5] = 1
    outlined = pixels(draw_thumbnail(case(labels), ("ct",)))
    labels[1, :, -3:], labels[0] = 255, 255
    both = pixels(draw_thumbnail(case(labels), ("ct",)))
    orange, blue = ((both == color).all(-1) for color in (OUTLINE, NOT_KNOWN))
    np.testing.assert_array_equal(orange, (outlined == OUTLINE).all(-1))
    assert blue.any()
