import numpy as np
import pytest

from lesionflow.errors import RasterError
from lesionflow.io.images.pictures.palettes import labels_of_palette, stored_or_seen

#: Mostly background, as a mask is.
INDEX = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 2, 2]], np.uint8)
TWO = (INDEX > 0).astype(np.uint8)
BLACK, WHITE, RED, GREEN = (0, 0, 0), (255, 255, 255), (200, 0, 0), (0, 200, 0)


def read(index, colors, labels=(1,)):
    table = np.zeros((256, 3), np.uint8)
    table[: len(colors)] = colors
    return labels_of_palette(index, table, labels, name="c-1")


def refusal(call):
    with pytest.raises(RasterError, match="c-1") as caught:
        call()
    return caught.value.reason


@pytest.mark.parametrize(
    ("index", "colors", "labels", "expected"),
    [
        # Black and white are what is seen, whatever their indices.
        (TWO, [BLACK, WHITE], (1,), TWO * 255),
        (1 - TWO, [WHITE, BLACK], (1,), TWO * 255),
        # A gray ramp says the same twice.
        (INDEX, [(n, n, n) for n in range(3)], (1, 2), INDEX),
        # Grays that are no labels are a label table's.
        (INDEX, [(0,) * 3, (100,) * 3, (200,) * 3], (1, 2), INDEX),
        # Grays that are labels, in the order in which they were met.
        (5 - INDEX, [(9,) * 3, (9,) * 3, (9,) * 3, (2,) * 3, (1,) * 3, (0,) * 3], (1, 2), INDEX),
        # Pascal VOC: the index is the label.
        (INDEX, [BLACK, RED, GREEN], (1, 2), INDEX),
        # One color on black is inside, whichever index it has.
        (TWO, [BLACK, RED], (1,), TWO * 255),
        (1 - TWO, [RED, BLACK], (1,), TWO * 255),
        (TWO * 7, [BLACK] * 7 + [RED], (1,), TWO * 255),
        # White paper with colored labels.
        (INDEX, [WHITE, RED, GREEN], (1, 2), INDEX),
    ],
)
def test_a_palette_means_what_its_makers_mean(index, colors, labels, expected):
    np.testing.assert_array_equal(read(index.astype(np.uint8), colors, labels), expected)


def test_contradictions_are_refused():
    assert refusal(lambda: read(INDEX, [RED, BLACK, GREEN], (1, 2))) == "contradicting_palette"
    assert refusal(lambda: read(INDEX, [RED, WHITE, GREEN], (1, 2))) == "contradicting_palette"
    assert refusal(lambda: read(INDEX, [(0,) * 3, (2,) * 3, (1,) * 3], (1, 2))) == "contradicting_palette"
    assert refusal(lambda: read(TWO, [(200,) * 3, (100,) * 3], (1,))) == "contradicting_palette"


def test_white_stored_as_zero_may_be_the_lesser_part_alone():
    assert refusal(lambda: read(TWO, [WHITE, BLACK])) == "inverted_mask"
    assert refusal(lambda: stored_or_seen(TWO, 255 - TWO * np.uint8(255), (1,), name="c-1")) == "inverted_mask"


VOC = [BLACK, (128, 0, 0), (0, 128, 0), (128, 128, 0)]


def test_one_class_of_a_table_is_its_index():
    np.testing.assert_array_equal(read(TWO, VOC), TWO)
    np.testing.assert_array_equal(read(TWO * np.uint8(3), VOC, (3,)), TWO * 3)
    for other in (2, 3):
        assert refusal(lambda n=other: read(TWO * np.uint8(n), VOC)) == "unknown_label"


def test_the_last_entry_of_a_table_is_a_class_and_that_of_a_ramp_is_inside():
    table = VOC + [(64, 0, 0)] * 251 + [(224, 224, 192)]
    assert refusal(lambda: read(TWO * np.uint8(255), table)) == "unknown_label"
    reds = [(n, 0, 0) for n in range(256)]
    np.testing.assert_array_equal(read(TWO * np.uint8(255), reds), TWO * 255)
