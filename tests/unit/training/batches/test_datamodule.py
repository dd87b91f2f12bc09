"""Batches as Lightning asks for them."""

from itertools import chain

import numpy as np
import pytest
import torch

from lesionflow.augmentation import build_augmentation
from lesionflow.training import CaseDataModule, PatchShape, ProcessGroup
from lesionflow.training.batches.datamodule import stack_samples
from lesionflow.training.batches.sampling import TrainingPatches
from lesionflow.training.batches.slabs import ValidationSlabs
from support.training_cases import CHANGES, PATCH, TARGETS, blob_case


def patches(cases):
    return TrainingPatches(cases, TARGETS, PATCH, foreground_fraction=0.5, augmentation=None, seed=3)


@pytest.fixture(scope="module")
def data():
    slabs = ValidationSlabs([blob_case(2), blob_case(3)], TARGETS, PATCH, max_slices=9, multiple=8)
    return CaseDataModule(patches([blob_case(0)]), slabs, batch_size=6, batches_per_epoch=2)


def test_batches_are_the_same_with_and_without_workers():
    def batches(n_workers):
        data = CaseDataModule(
            patches([blob_case(0)]), ValidationSlabs([blob_case(2)], TARGETS, PATCH, max_slices=4, multiple=8),
            batch_size=2, batches_per_epoch=3, n_workers=n_workers,
        )  # fmt: skip
        data.first_epoch = 5
        return list(data.train_dataloader())

    for (image, mask), (again, mask_again) in zip(batches(0), batches(1), strict=True):
        assert image.shape == (2, 3, 40, 48)
        assert image.equal(again)
        assert mask.equal(mask_again)


def of_process(data, rank, size):
    data.processes = ProcessGroup(rank=rank, size=size)
    return list(data.train_dataloader()), list(data.val_dataloader())


def test_a_batch_is_its_samples_one_after_another(data):
    data.first_epoch = 4
    batches, _ = of_process(data, 0, 1)
    assert len(batches) == 2
    for first, (image, mask) in zip((0, 6), batches, strict=True):
        assert (image.dtype, mask.dtype) == (torch.float32, torch.uint8)
        for place in range(6):
            wanted_image, wanted_mask = data.patches[(4, first + place)]
            np.testing.assert_array_equal(image[place], wanted_image)
            np.testing.assert_array_equal(mask[place], wanted_mask)


def test_processes_have_equal_parts_of_every_batch_and_together_the_batches_of_one(data):
    data.first_epoch = 0
    whole, slabs = of_process(data, 0, 1)
    parts = [of_process(data, rank, 3) for rank in range(3)]
    for number, (image, _) in enumerate(whole):
        shares = [batches[number][0] for batches, _ in parts]
        assert [len(share) for share in shares] == [2, 2, 2]
        assert torch.equal(torch.cat(shares), image)
    # Of the slices each is looked at by one.
    seen = list(chain.from_iterable(validation for _, validation in parts))
    assert len(seen) == len(slabs) == 6
    for batch in slabs:
        assert sum(batch.case == one.case and torch.equal(batch.image, one.image) for one in seen) == 1


def test_to_make_loaders_draws_nothing_from_torchs_generator(data):
    data.processes = ProcessGroup()
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    next(iter(data.train_dataloader()))
    next(iter(data.val_dataloader()))
    assert torch.equal(torch.rand(3), wanted)


def test_without_slabs_there_is_nothing_to_validate_on():
    assert CaseDataModule(patches([blob_case(0)]), None, batch_size=2, batches_per_epoch=3).val_dataloader() == []


def test_volumes_are_warped_after_their_batch_is_moved_and_validation_is_left_alone():
    patch = PatchShape((6, 24, 32), 3)
    augmentation = build_augmentation(CHANGES, spacing_mm=(3.0, 1.0, 0.8), n_image_slices=6, n_mask_slices=6)
    warped = TrainingPatches([blob_case(0)], TARGETS, patch, foreground_fraction=1.0, augmentation=augmentation, seed=3)
    slabs = ValidationSlabs([blob_case(2)], TARGETS, patch, max_slices=9, multiple=8)
    data = CaseDataModule(warped, slabs, batch_size=4, batches_per_epoch=1)
    (batch,) = data.train_dataloader()
    assert len(batch) == 4
    image, mask = data.on_after_batch_transfer(batch, 0)
    assert (image.shape, mask.shape) == (batch[0].shape, batch[1].shape)
    assert not torch.equal(image, batch[0])
    validation = slabs[0]
    assert data.on_after_batch_transfer(validation, 0) is validation


def test_samples_are_stacked_part_by_part():
    samples = [(np.full((2, 3), k, np.float32), np.full(1, 10 * k, np.uint8), np.array([k, -k])) for k in range(3)]
    image, mask, drawn = stack_samples(samples)
    assert image.tolist() == [[[k] * 3] * 2 for k in range(3)]
    assert mask.tolist() == [[0], [10], [20]]
    assert drawn.tolist() == [[0, 0], [1, -1], [2, -2]]
    with pytest.raises(ValueError, match="shorter"):
        stack_samples([samples[0], samples[1][:2]])
