import io
from io import BytesIO

import numpy as np
from PIL import Image

from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.evaluation.figures import PREDICTED_COLOR, REFERENCE_COLOR, overlay_planes, overlay_slice, to_array
from support.pages import BLUE, ORANGE, pixels_near

GRID = Geometry.from_parts((1, 40, 56), (1.0, 1.0, 1.0), spacing_known=False)


def test_reference_and_prediction_of_one_slice_are_outlined():
    reference, predicted = np.zeros((2, *GRID.shape), np.uint8)
    reference[0, 5:20, 9:30], predicted[0, 22:35, 30:50] = 1, 1
    volume = Volume(np.random.default_rng(5).random((1, *GRID.shape)), GRID)
    case = Case("c-1", "p-1", ("gray",), volume, Mask(reference, GRID))
    picture = Image.open(BytesIO(overlay_planes(case, Mask(predicted, GRID), ("picture",), "c-1")))
    # One plane alone: the others would be lines.
    assert picture.width < 1.3 * picture.height
    pixels = np.asarray(picture.convert("RGB"))
    for color in (REFERENCE_COLOR, PREDICTED_COLOR):
        wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.count_nonzero((np.abs(pixels.astype(int) - wanted) < 12).all(axis=-1)) > 50


GEOMETRY = Geometry.from_parts((7, 60, 90), (3.0, 0.8, 0.5), (10.0, -20.0, 5.0))


def _box(low, high) -> Mask:
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1
    return Mask(labels, GEOMETRY)


def _case(reference: Mask | None, n_channels: int = 1) -> Case:
    image = np.random.default_rng(0).normal(0, 30, (n_channels, *GEOMETRY.shape)).astype(np.float32)
    return Case("c-1", "p-1", ("CT", "MR")[:n_channels], Volume(image, GEOMETRY), reference)


def test_contours_of_both_masks_lie_where_the_masks_are() -> None:
    # The reference lies left, the prediction right, in the image's own columns; a mask at the image's very border too.
    png = overlay_planes(_case(_box((2, 20, 5), (4, 30, 20))), _box((2, 20, 70), (4, 30, 90)), ("ct",), "c-1: Dice 0")
    width = to_array(png).shape[1]
    axial = slice(0, width // 3)
    left, right = pixels_near(png, BLUE), pixels_near(png, ORANGE)
    left, right = left[left[:, 1] < axial.stop], right[right[:, 1] < axial.stop]
    assert len(left) > 20
    assert len(right) > 20
    assert left[:, 1].mean() < 0.4 * axial.stop < 0.6 * axial.stop < right[:, 1].mean()


def test_small_masks_are_drawn_closer_too_and_large_ones_are_not() -> None:
    wide = Geometry.from_parts((7, 200, 300), (3.0, 0.8, 0.8), (0.0, 0.0, 0.0))
    volume = Volume(np.zeros((1, *wide.shape), np.float32), wide)
    labels = np.zeros(wide.shape, np.uint8)
    labels[3, 20:24, 30:34] = 1
    small = Mask(labels, wide)
    large = Mask(np.ones(wide.shape, np.uint8), wide)
    heights = [
        to_array(overlay_planes(Case("c-1", "p", ("CT",), volume, mask), mask, ("ct",), "c-1")).shape[0]
        for mask in (small, large)
    ]
    assert heights[0] > 1.5 * heights[1]


def test_a_case_without_reference_or_tumor_still_has_a_picture() -> None:
    nothing = _box((0, 0, 0), (0, 0, 0))
    for reference, predicted in ((None, _box((1, 2, 3), (3, 20, 30))), (None, nothing), (nothing, nothing)):
        png = overlay_planes(_case(reference, 2), predicted, ("ct", "mr"), "c-1", labels=(1,))
        assert Image.open(io.BytesIO(png)).format == "PNG"
        assert len(pixels_near(png, BLUE)) < 80  # the legend's line at most


def test_the_slice_shown_is_the_one_where_the_masks_differ() -> None:
    # Large agreement in slice 2, the only difference in slice 5: it is slice 5 whose image is shown.
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    labels[2, 5:50, 5:80] = 1
    differs = labels.copy()
    differs[5, 10:14, 10:16] = 1
    image = np.full((1, *GEOMETRY.shape), -160.0, np.float32)
    image[0, 5] = 240.0
    case = Case("c-1", "p-1", ("CT",), Volume(image, GEOMETRY), Mask(labels, GEOMETRY))
    png = to_array(overlay_planes(case, Mask(differs, GEOMETRY), ("ct",), "c-1"))
    first = png[: png.shape[0] // 2, : png.shape[1] // 3]
    assert (first.min(axis=2) > 240).mean() > 0.8


def test_one_slice_of_a_prediction_alone() -> None:
    png = overlay_slice(_case(None, 2).volume, _box((4, 10, 20), (5, 30, 60)), ("ct", "mr"), "knee")
    assert len(pixels_near(png, ORANGE)) > 50
