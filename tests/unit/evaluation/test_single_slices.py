"""A plain picture is a case of one slice: its outlines are drawn where there is something to outline."""

from io import BytesIO

import numpy as np
from PIL import Image

from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.evaluation.figures import PREDICTED_COLOR, REFERENCE_COLOR, overlay_planes

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
