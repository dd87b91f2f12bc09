"""What validation looks at: whole slices, each once, padded as the network wants."""

import numpy as np
import pytest

from lesionflow.preprocessing.slice_context import stack_context
from lesionflow.training import CaseArrays, PatchShape
from lesionflow.training.batches.slabs import SLABS_AT_ONCE, ValidationSlabs, choose_slabs, deal
from support.training_cases import PATCH, TARGETS, blob_case, empty_case


def coordinate_case(shape=(7, 50, 60), labels=((2, 9, 31), (4, 40, 12))):
    """An image whose voxel says where it lies; label i + 1 is one voxel."""
    image = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).astype(np.float32)
    mask = np.zeros(shape, np.uint8)
    for label, where in enumerate(labels, start=1):
        mask[where] = label
    return CaseArrays("c-x", image, mask, {i: np.argwhere(mask == i) for i in range(1, len(labels) + 1)})


@pytest.mark.parametrize(
    ("n_slabs", "tumor", "most", "expected"),
    [
        (5, {2}, 9, [0, 1, 2, 3, 4]),
        (12, {3, 4, 5, 6, 7, 8}, 4, [1, 4, 7, 10]),
        (12, {3}, 4, [1, 3, 6, 10]),
        (6, {0, 1, 2, 3, 4}, 4, [0, 2, 4, 5]),
        (6, set(), 2, [1, 4]),
    ],
)
def test_validation_slices_are_half_tumor_and_evenly_spread(n_slabs, tumor, most, expected):
    chosen = choose_slabs(n_slabs, tumor, most)
    assert len(chosen) == min(most, n_slabs)
    assert len(set(chosen)) == len(chosen)
    assert len(tumor & set(chosen)) == min(len(tumor), max(most - (n_slabs - len(tumor)), (most + 1) // 2))
    assert chosen == expected


def test_validation_slices_are_whole_and_padded_to_what_the_network_takes():
    slabs = ValidationSlabs([blob_case(0), empty_case(1)], TARGETS, PATCH, max_slices=6, multiple=8)
    first = slabs[0]
    assert first.image.shape == (3, 3, 56, 72)  # 51 x 67 to multiples of 8
    assert first.mask.shape == (3, 1, 51, 67)
    assert [slabs[i].case for i in range(len(slabs))] == [0, 0, 1, 1]


def test_slices_are_dealt_so_that_each_batch_is_spread_over_the_case():
    assert deal([0, 1, 2, 5, 6, 7, 8, 9, 12], 4) == [(0, 5, 8), (1, 6, 9), (2, 7, 12)]
    assert deal([3], 4) == [(3,)]


def test_three_dimensional_slabs_cover_the_whole_volume_once():
    case = coordinate_case(shape=(8, 16, 24), labels=((2, 9, 21), (4, 0, 12)))
    slabs = ValidationSlabs([case], ((1,), (2,)), PatchShape((4, 16, 8), 3), max_slices=99, multiple=4)
    batch = slabs[0]
    assert batch.image.shape == (2, 3, 4, 16, 24)
    np.testing.assert_array_equal(batch.image[:, 0, :, 0, 0], [[0, 1, 2, 3], [4, 5, 6, 7]])
    assert batch.mask.sum() == 2


def test_validation_sees_each_slice_as_inference_does():
    case = coordinate_case()
    batch = ValidationSlabs([case], TARGETS, PatchShape((5, 16, 24), 2), max_slices=99, multiple=1)[0]
    for position, center in enumerate((0, 2, 4, 6)):
        np.testing.assert_array_equal(batch.image[position], stack_context(case.image, center, 5))
        np.testing.assert_array_equal(batch.mask[position, 0], case.mask[center] == 1)


@pytest.mark.parametrize(("n_slices", "firsts"), [(10, [0, 4, 6]), (9, [0, 4, 5]), (8, [0, 4]), (5, [0, 1]), (4, [0])])
def test_slabs_cover_all_slices_whole_and_the_last_ends_with_the_volume(n_slices, firsts):
    case = coordinate_case(shape=(n_slices, 11, 13), labels=((3, 10, 12),))
    slabs = ValidationSlabs([case], TARGETS, PatchShape((4, 8, 8), 3), max_slices=99, multiple=4)
    seen = np.concatenate([slabs[k].image[:, 0, :, 0, 0].numpy() for k in range(len(slabs))])
    assert sorted(seen[:, 0]) == firsts
    np.testing.assert_array_equal(seen - seen[:, :1], [[0, 1, 2, 3]] * len(firsts))
    assert set(seen.ravel()) == set(range(n_slices))
    for batch in (slabs[k] for k in range(len(slabs))):
        np.testing.assert_array_equal(batch.mask[:, 0].sum((1, 2, 3)), (batch.image[:, 0, :, 0, 0] == 3).any(1))


def test_a_volume_thinner_than_a_slab_is_continued():
    case = coordinate_case(shape=(3, 11, 13), labels=((2, 10, 12),))
    (batch,) = ValidationSlabs([case], TARGETS, PatchShape((5, 8, 8), 3), max_slices=99, multiple=1)
    np.testing.assert_array_equal(batch.image[0, 0, :, 0, 0], [0, 1, 2, 2, 2])


def test_the_border_is_repeated_at_the_ends_and_the_mask_is_left_as_it_is():
    case = coordinate_case(shape=(6, 11, 13), labels=((5, 10, 12),))
    for patch, size in ((PatchShape((3, 8, 8), 2), (12, 16)), (PatchShape((6, 8, 8), 3), (8, 12, 16))):
        batch = ValidationSlabs([case], TARGETS, patch, max_slices=99, multiple=4)[0]
        assert tuple(batch.image.shape[2:]) == size
        assert batch.mask.shape[-2:] == (11, 13)
        # Channels that say where rows and columns lie stop counting where the case ends.
        rows, columns = (batch.image[0, c] for c in ((3, 6) if patch.dimensions == 2 else (1, 2)))
        np.testing.assert_array_equal(rows[..., 0].reshape(-1, size[-2])[0], [*range(11), *[10] * (size[-2] - 11)])
        np.testing.assert_array_equal(columns[..., 0, :].reshape(-1, 16)[0], [*range(13), 12, 12, 12])


def test_at_most_so_many_slices_of_a_case_are_looked_at_and_one_slab_at_least():
    case, thin = blob_case(0), PatchShape((3, 40, 48), 2)
    for most, n_slabs in ((1, 1), (4, 4), (99, 9)):
        slabs = ValidationSlabs([case], TARGETS, thin, max_slices=most, multiple=1)
        sizes = [len(slabs[k].image) for k in range(len(slabs))]
        assert sum(sizes) == n_slabs
        assert max(sizes) <= SLABS_AT_ONCE
    thick = ValidationSlabs([case], TARGETS, PatchShape((4, 40, 48), 3), max_slices=3, multiple=1)
    assert [len(batch.image) for batch in (thick[0],)] == [1]
    assert len(thick) == 1


def test_what_is_not_known_is_no_tumor_and_stands_behind_the_targets():
    case = coordinate_case(labels=((2, 9, 31),))
    mask = case.mask.copy()
    mask[5] = 255
    case = CaseArrays("c-i", case.image, mask, case.foreground | {255: np.argwhere(mask == 255)})
    slabs = ValidationSlabs([case], ((1,),), PatchShape((1, 8, 8), 2), max_slices=2, multiple=4)
    assert [chunk.starts for chunk in slabs.chunks] == [(2, 4)], "the slice of tumor, and the middle one of the others"
    whole = ValidationSlabs([case], ((1,),), PatchShape((1, 8, 8), 2), max_slices=7, multiple=4)
    masks = np.concatenate([whole[i].mask for i in range(len(whole))])
    assert masks.shape[1] == 2
    assert masks[:, 1].sum() == 50 * 60
    assert masks[:, 0].sum() == 1
