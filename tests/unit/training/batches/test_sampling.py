import numpy as np
import pytest

from lesionflow.augmentation import build_augmentation
from lesionflow.training import CaseArrays, PatchShape
from lesionflow.training.batches.datamodule import stack_samples
from lesionflow.training.batches.sampling import EpochSampler, TrainingPatches, is_foreground
from support.training_cases import CHANGES, PATCH, TARGETS, blob_case, empty_case


def patches(cases, patch=PATCH, fraction=0.5, augmentation=None, targets=TARGETS, seed=3):
    return TrainingPatches(cases, targets, patch, foreground_fraction=fraction, augmentation=augmentation, seed=seed)


def coordinate_case(shape=(7, 50, 60), labels=((2, 9, 31), (4, 40, 12))):
    """An image whose voxel says where it lies; label i + 1 is one voxel."""
    image = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).astype(np.float32)
    mask = np.zeros(shape, np.uint8)
    for label, where in enumerate(labels, start=1):
        mask[where] = label
    return CaseArrays("c-x", image, mask, {i: np.argwhere(mask == i) for i in range(1, len(labels) + 1)})


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1 / 3, 0.5, 0.9, 1.0])
def test_the_foreground_fraction_is_exact(fraction):
    for n in (3, 16, 300):
        assert sum(is_foreground(i, fraction) for i in range(n)) == int(n * fraction + 1e-9)


def test_foreground_patches_hold_tumor_and_others_lie_anywhere():
    data = patches([blob_case(0), blob_case(1), empty_case(2)])
    held = [data[(0, i)][1].any() for i in range(200)]
    near = [h for i, h in enumerate(held) if is_foreground(i, 0.5)]
    far = [h for i, h in enumerate(held) if not is_foreground(i, 0.5)]
    assert all(near)
    assert 0.1 < np.mean(far) < 0.9


def test_each_label_is_found_equally_often_whatever_its_size():
    case = coordinate_case()
    big = CaseArrays(case.case_id, case.image, case.mask, case.foreground | {1: np.repeat(case.foreground[1], 500, 0)})
    data = patches([big], PatchShape((1, 8, 8), 2), 1.0, targets=((1,), (2,)))
    seen = np.array([data[(0, i)][1].any((1, 2)) for i in range(200)])
    assert 70 < seen[:, 0].sum() < 130
    assert (seen.sum(1) == 1).all()


@pytest.mark.parametrize(("exponent", "share"), [(0.0, 0.5), (0.5, 0.8), (1.0, 16 / 17)])
def test_larger_cases_are_drawn_as_much_more_often_as_asked_for(exponent, share):
    cases = [coordinate_case((1, 10, 10), ((0, 5, 5),)), coordinate_case((1, 40, 40), ((0, 20, 20),))]
    patch = PatchShape((1, 8, 8), 2)
    data = TrainingPatches(
        cases, TARGETS, patch, foreground_fraction=0.5, size_exponent=exponent, augmentation=None, seed=3
    )
    drawn = [data.place(i, np.random.default_rng(i))[0] is cases[1] for i in range(2000)]
    for near in (True, False):
        found = np.mean([d for i, d in enumerate(drawn) if is_foreground(i, 0.5) == near])
        assert abs(found - share) < 0.05


def test_image_and_mask_of_a_patch_come_from_the_same_place():
    case = coordinate_case()
    data = patches([case], PatchShape((3, 24, 20), 2), 1.0, targets=((1, 2),))
    for i in range(30):
        image, mask = data[(0, i)]
        assert image.shape == (9, 24, 20)
        assert image.dtype == np.float32
        assert mask.shape == (1, 24, 20)
        ((row, column),) = np.argwhere(mask[0])
        # Channels first, then context slices: plane 1 is the middle slice of channel 0 (which holds slice numbers).
        where = tuple(int(image[channel * 3 + 1, row, column]) for channel in range(3))
        assert case.mask[where] > 0
        assert image[0, row, column] == where[0] - 1
        assert image[2, row, column] == where[0] + 1


def test_three_dimensional_patches_keep_their_slices():
    data = patches([coordinate_case()], PatchShape((5, 24, 20), 3), 1.0, targets=((1,), (2,)))
    image, mask = data[(0, 0)]
    assert image.shape == (3, 5, 24, 20)
    assert mask.shape == (2, 5, 24, 20)
    assert mask.any()


def test_neighbors_beyond_the_ends_repeat_the_outermost_slice():
    case = coordinate_case(labels=((0, 20, 20), (6, 20, 20)))
    data = patches([case], PatchShape((5, 8, 8), 2), 1.0, targets=((1, 2),))
    seen = {tuple(data[(0, i)][0][:5, 0, 0].astype(int)) for i in range(20)}
    assert seen == {(0, 0, 0, 1, 2), (4, 5, 6, 6, 6)}


def test_a_volume_smaller_than_the_patch_is_centered_and_continued():
    case = coordinate_case(shape=(4, 10, 60), labels=((1, 5, 30),))
    image, mask = patches([case], PatchShape((1, 24, 16), 2), 1.0)[(0, 0)]
    np.testing.assert_array_equal(image[1, :, 0], np.clip(np.arange(24) - 7, 0, 9))
    assert mask.sum() == 1


def test_a_sample_depends_on_seed_epoch_and_index_alone():
    augmentation = build_augmentation(CHANGES, spacing_mm=(3.0, 1.0, 0.8), n_image_slices=3, n_mask_slices=1)
    one, two = (patches([blob_case(0), blob_case(1)], augmentation=augmentation) for _ in range(2))
    for key in ((0, 5), (1, 5), (0, 6)):
        for a, b in zip(one[key], two[key], strict=True):
            np.testing.assert_array_equal(a, b)
    other = patches([blob_case(0), blob_case(1)], augmentation=augmentation, seed=4)
    for key in ((1, 5), (0, 6)):
        assert not np.array_equal(one[key][0], one[(0, 5)][0])
    assert not np.array_equal(other[(0, 5)][0], one[(0, 5)][0])


def test_no_tumor_anywhere_is_no_error():
    image, mask = patches([empty_case(0)], fraction=1.0)[(0, 0)]
    assert image.shape == (3, 40, 48)
    assert not mask.any()


def test_an_epoch_goes_on_where_the_last_process_stopped():
    sampler = EpochSampler(3, first_epoch=2)
    assert list(sampler) == [(2, 0), (2, 1), (2, 2)]
    sampler.set_epoch(1)
    assert list(sampler) == [(3, 0), (3, 1), (3, 2)]
    assert len(sampler) == 3


def test_processes_share_every_batch_without_gap_or_overlap():
    whole = list(EpochSampler(24, 5, batch_size=6))
    shares = [EpochSampler(24, 5, batch_size=6, rank=rank, n_processes=3) for rank in range(3)]
    assert [len(share) for share in shares] == [8, 8, 8]
    assert sorted(key for share in shares for key in share) == whole == [(5, index) for index in range(24)]
    for batch in range(4):
        together = {key for share in shares for key in list(share)[2 * batch : 2 * batch + 2]}
        assert together == set(whole[6 * batch : 6 * batch + 6])


def ignored_case():
    """Tumor in one corner, a known strip beside it, and all else not known."""
    mask = np.full((3, 40, 40), 255, np.uint8)
    mask[:, :12, :12], mask[:, 2:8, 2:8] = 0, 1
    foreground = {value: np.argwhere(mask == value) for value in (0, 1, 255)}
    return CaseArrays("c-i", np.zeros((1, 3, 40, 40), np.float32), mask, foreground)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_no_patch_is_placed_by_what_is_not_known(dimensions):
    data = patches([ignored_case()], PatchShape((3, 4, 4), dimensions), 0.5)
    for index in range(100):
        case, start = data.place(index, np.random.default_rng(index))
        middle = tuple(s + k // 2 for s, k in zip(start, data.patch.size, strict=True))
        near = data.patch.size[1] // 4
        value = case.mask[1, max(middle[1] - near, 0), max(middle[2] - near, 0)]
        assert value != 255
        assert middle[1] <= 12 + near


@pytest.mark.parametrize("dimensions", [2, 3])
def test_what_is_not_known_goes_the_way_of_the_targets_in_every_sample(dimensions):
    """Through flips, turns and warps: labels and what is not known fill the patch of a case that has no background."""
    mask = np.full((8, 40, 40), 255, np.uint8)
    mask[:, :20] = 1
    case = CaseArrays("c-i", np.zeros((1, 8, 40, 40), np.float32), mask, {v: np.argwhere(mask == v) for v in (1, 255)})
    n_slices = 3 if dimensions == 2 else 8
    shape = PatchShape((n_slices, 32, 32), dimensions)
    augmentation = build_augmentation(
        CHANGES, spacing_mm=(1.0, 1.0, 1.0), n_image_slices=n_slices, n_mask_slices=shape.n_mask_slices
    )
    data = patches([case, blob_case(0)], shape, 0.5, augmentation)
    assert data.with_ignored
    for index in range(8):
        _, mask = data.finish(stack_samples([data[(0, index)]]))
        assert mask.shape[1] == 2
        if data.place(index, np.random.default_rng((3, 0, 0, index)))[0] is case:
            covered = (mask.sum(1) > 0).double().mean()
            assert covered > 0.97, "borders alone may round to neither"
            assert (mask.sum(1) == 2).double().mean() < 0.03


def test_cases_that_are_known_as_a_whole_have_no_further_mask():
    assert not patches([blob_case(0)]).with_ignored
