import numpy as np
import pytest

from lesionflow.training.batches.case_arrays import CaseArrays, read_block, stack_targets

ARRAY = np.arange(2 * 5 * 7 * 11).reshape(2, 5, 7, 11)


@pytest.mark.parametrize(
    ("start", "size"),
    [
        ((1, 2, 3), (3, 4, 5)),
        ((-1, 0, 0), (3, 7, 11)),
        ((3, -2, 5), (3, 11, 9)),
        ((4, 6, 10), (1, 1, 1)),
        ((-3, -9, -13), (11, 25, 37)),
        ((7, 2, 2), (3, 2, 2)),
    ],
)
def test_a_block_equals_one_cut_from_the_padded_array(start, size):
    before = [40] * 3
    padded = np.pad(ARRAY, [(0, 0), *((40, 40),) * 3], mode="edge")
    cut = tuple(slice(s + b, s + b + n) for s, b, n in zip(start, before, size, strict=True))
    np.testing.assert_array_equal(read_block(ARRAY, start, size), padded[(slice(None), *cut)])
    np.testing.assert_array_equal(read_block(ARRAY[0], start, size), padded[(0, *cut)])


def test_only_the_block_is_read():
    class Recorder:
        shape = ARRAY.shape

        def __getitem__(self, block):
            self.block = block
            return ARRAY[block]

    array = Recorder()
    read_block(array, (-1, 2, 3), (3, 4, 5))
    assert array.block == (..., slice(0, 2), slice(2, 6), slice(3, 8))


def test_targets_are_unions_of_labels():
    labels = np.array([[[0, 1, 2, 3]]], np.uint8)
    stacked = stack_targets(labels, ((1, 2, 3), (2,), (1, 3)))
    np.testing.assert_array_equal(stacked[:, 0, 0], [[0, 1, 1, 1], [0, 0, 1, 0], [0, 1, 0, 1]])
    assert stacked.dtype == np.uint8


def test_what_is_not_known_is_a_mask_behind_those_of_the_targets():
    labels = np.array([[[0, 1, 2, 255]]], np.uint8)
    assert stack_targets(labels, ((1, 2), (2,)), with_ignored=True)[:, 0, 0].tolist() == [
        [0, 1, 1, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
    ]
    assert stack_targets(labels, ((1, 2), (2,)))[:, 0, 0].tolist() == [[0, 1, 1, 0], [0, 0, 1, 0]]


def test_a_case_tells_its_labels_from_what_is_not_known():
    where = np.zeros((1, 3), int)
    case = CaseArrays("c-1", np.zeros((1, 1, 1, 4)), np.zeros((1, 1, 4)), {0: where, 3: where, 255: where, 1: where})
    assert (case.labels, case.has_ignored) == ((1, 3), True)
    assert not CaseArrays("c-1", case.image, case.mask, {1: where}).has_ignored
