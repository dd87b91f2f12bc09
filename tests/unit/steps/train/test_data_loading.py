"""What a task and its params become: which patches, which slices, how many, how changed."""

from pathlib import Path

import numpy as np
import pytest

from lesionflow.config import TrainConfig
from lesionflow.data.plan import CoarsePlan
from lesionflow.steps.train import data_loading
from lesionflow.steps.train.data_loading import make_data
from lesionflow.steps.train.task import TrainingTask
from lesionflow.training import CaseArrays
from support.training_cases import blob_case
from support.training_workspace import make_plan, train_params

REPO = Path(__file__).resolve().parents[4]
CASES = {f"c-{k}": blob_case(k) for k in range(4)}
STILL = {
    name: 0.0 for name in train_params(REPO)["augmentation"] if name.endswith("_probability")
}  # fmt: skip


def task(plan=None, train=("c-1", "c-0"), validation=("c-3",), augmentation=None, **changes):
    augmentation = train_params(REPO)["augmentation"] | STILL | (augmentation or {})
    config = TrainConfig.model_validate(train_params(REPO, augmentation=augmentation, **changes))
    return TrainingTask(config, plan or make_plan(), train, validation, "")


def cascade(shape=(8, 16, 16)):
    plan = make_plan(dimensions=3, patch_size=shape)
    coarse = CoarsePlan(factors=(1, 2, 4), patch_size=(8, 12, 24), batch_size=2, architecture=plan.architecture)
    return plan.model_copy(update={"coarse": coarse})


def test_training_and_validation_have_the_cases_that_the_task_names():
    data = make_data(task(), CASES, 2)
    assert [case.case_id for case in data.patches.cases] == ["c-1", "c-0"]
    assert [case.case_id for case in data.slabs.cases] == ["c-3"]
    assert data.n_workers == 2


def test_numbers_come_from_plan_and_params():
    data = make_data(task(batches_per_epoch=5, max_validation_slices_per_case=6), CASES, 0)
    images = [image for image, _ in data.train_dataloader()]
    # Five batches of the plan's four patches of 3 x 40 x 48.
    assert [tuple(image.shape) for image in images] == [(4, 3, 40, 48)] * 5
    slices = [data.slabs[k] for k in range(len(data.slabs))]
    assert sum(len(batch.image) for batch in slices) == 6
    # 51 x 67 voxels; three halvings take multiples of 8.
    assert {tuple(batch.image.shape[1:]) for batch in slices} == {(3, 56, 72)}
    assert {tuple(batch.mask.shape[1:]) for batch in slices} == {(1, 51, 67)}


def test_a_network_that_learns_from_all_is_not_validated():
    data = make_data(task(validation=()), CASES, 0)
    assert data.slabs is None
    assert data.val_dataloader() == []


@pytest.mark.parametrize(("fraction", "n_near"), [(0.0, 0), (1.0, 16)])
def test_patches_lie_near_tumors_as_often_as_params_say(fraction, n_near):
    # Tumor at one end alone, where a patch that lies anywhere does not come.
    mask = np.zeros((9, 400, 51), np.uint8)
    mask[4, 0, 0] = 1
    case = CaseArrays("c-1", np.zeros((1, *mask.shape), np.float32), mask, {1: np.argwhere(mask)})
    data = make_data(task(train=("c-1",), foreground_fraction=fraction), {"c-1": case, "c-3": CASES["c-3"]}, 0)
    assert sum(data.patches[(0, k)][1].any() for k in range(16)) == n_near


def test_large_cases_are_drawn_by_their_size_if_params_say_so():
    small, large = (CaseArrays(name, np.zeros((1, *shape), np.float32), np.zeros(shape, np.uint8), {})
                    for name, shape in (("c-0", (1, 10, 10)), ("c-1", (1, 100, 100))))  # fmt: skip
    for exponent, low, high in ((0.0, 70, 130), (1.0, 190, 200)):
        data = make_data(task(size_exponent=exponent), {"c-0": small, "c-1": large, "c-3": CASES["c-3"]}, 0)
        drawn = [data.patches.place(k, np.random.default_rng(k))[0].case_id for k in range(200)]
        assert low <= drawn.count("c-1") <= high


def test_the_seed_of_the_task_decides_and_a_chance_of_0_changes_nothing():
    one, again, other = (make_data(task(seed=seed), CASES, 0).patches[(0, 1)] for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])
    plain = make_data(task(seed=1), CASES, 0).patches.unchanged()[(0, 1)]
    np.testing.assert_array_equal(one[0], plain[0])
    mirrored = make_data(task(seed=1, augmentation={"flip_probability": 1.0}), CASES, 0).patches[(0, 1)]
    assert not np.array_equal(mirrored[0], plain[0])
    # Mirrored along an axis or two: the middle slice is the middle slice.
    assert sorted(mirrored[0][1].ravel()) == sorted(plain[0][1].ravel())


def test_warps_are_told_the_plans_millimeters_and_its_kind_of_patch(monkeypatch):
    told = []
    monkeypatch.setattr(data_loading, "build_augmentation", lambda changes, **how: told.append((changes, how)))
    make_data(task(augmentation={"noise_std": 0.375}), CASES, 0)
    make_data(task(cascade(), augmentation={"noise_std": 0.375}), CASES, 0)
    assert [changes.noise_std for changes, _ in told] == [0.375, 0.375]
    # Where a study keeps its own slices their distance is not known.
    assert [how["spacing_mm"] for _, how in told] == [(1.0, 1.0, 0.8)] * 2
    assert [(how["n_image_slices"], how["n_mask_slices"]) for _, how in told] == [(3, 1), (8, 8)]
    assert [how["n_coarse_predictions"] for _, how in told] == [0, 1]


@pytest.mark.parametrize(("chance", "hidden"), [(0.0, [False] * 6), (1.0, [True] * 6)])
def test_coarse_predictions_are_taken_away_as_often_as_params_say(chance, hidden):
    cases = {
        name: CaseArrays(name, np.concatenate([case.image, np.ones_like(case.image)]), case.mask, case.foreground)
        for name, case in CASES.items()
    }
    data = make_data(task(cascade(), augmentation={"hint_loss_probability": chance}), cases, 0)
    images = [data.patches[(0, k)][0] for k in range(6)]
    assert [image.shape for image in images] == [(2, 8, 16, 16)] * 6
    assert [bool((image[1] == 0).all()) for image in images] == hidden
    assert all((image[0] != 0).any() for image in images)


def test_without_a_cascade_no_channel_is_ever_taken_away():
    data = make_data(task(augmentation={"hint_loss_probability": 1.0}), CASES, 0)
    assert all((data.patches[(0, k)][0] != 0).all() for k in range(6))
