from dataclasses import replace

import pytest
import torch

from lesionflow.training.batches.slabs import SlabBatch
from lesionflow.training.module import SegmentationModule, count_voxels, dice_of_counts, make_optimizer
from support.training_cases import RECIPE


def test_counts_by_hand():
    predicted = torch.tensor([[[1, 1, 0, 0]], [[1, 0, 0, 1]]]).bool()
    reference = torch.tensor([[[1, 0, 1, 0]], [[1, 1, 1, 1]]]).bool()
    assert count_voxels(predicted, reference).tolist() == [[3, 1, 3]]


def test_dice_of_counts_with_its_empty_cases():
    counts = torch.tensor([[3, 1, 3], [0, 0, 0], [0, 5, 0], [0, 0, 5]])
    assert dice_of_counts(counts).tolist() == pytest.approx([0.6, 1.0, 0.0, 0.0])


def test_validation_dice_is_the_mean_over_whole_cases_not_over_batches():
    """Case 0 comes in two batches; its Dice is that of all its voxels."""
    module = SegmentationModule(torch.nn.Identity(), RECIPE)
    logged = {}
    module.log = lambda name, value, **_: logged.update({name: float(value)})

    def batch(case, predicted, reference):
        image = torch.tensor(predicted).reshape(1, 1, 1, -1).float() * 20 - 10
        padded = torch.cat([image, torch.full((1, 1, 1, 3), 10.0)], dim=-1)
        return SlabBatch(case, padded, torch.tensor(reference, dtype=torch.uint8).reshape(1, 1, 1, -1))

    module.on_validation_epoch_start()
    module.validation_step(batch(0, [1, 1, 1, 1], [1, 1, 1, 1]), 0)
    module.validation_step(batch(0, [0, 0, 0, 0], [1, 0, 0, 0]), 1)
    module.validation_step(batch(1, [1, 0, 0, 0], [0, 0, 0, 1]), 2)
    module.on_validation_epoch_end()
    assert logged["val/dice"] == pytest.approx((8 / 9 + 0) / 2)
    assert logged["val/dice_pooled"] == pytest.approx(8 / 11)


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
)
def test_the_recipe_names_the_optimizer(name, kind):
    optimizer = make_optimizer(torch.nn.Linear(2, 1), replace(RECIPE, optimizer=name, weight_decay=0.01))
    assert type(optimizer) is kind
    assert optimizer.defaults["lr"] == RECIPE.learning_rate
    assert optimizer.defaults["weight_decay"] == 0.01
    assert optimizer.defaults.get("nesterov", True)


def test_the_encoder_may_learn_at_another_rate():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Conv2d(2, 1, 1))
    optimizer = make_optimizer(network, replace(RECIPE, encoder=r"0\.", encoder_learning_rate_fraction=0.25))
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert [rates[id(p)] / RECIPE.learning_rate for p in network.parameters()] == [0.25, 0.25, 1.0, 1.0]


def test_what_is_not_known_counts_neither_for_nor_against_the_validation():
    module = SegmentationModule(torch.nn.Identity(), RECIPE)
    logged = {}
    module.log = lambda name, value, **_: logged.update({name: float(value)})
    image = torch.tensor([10.0, 10.0, -10.0, -10.0, 10.0]).reshape(1, 1, 1, -1)
    masks = torch.tensor([[1, 0, 1, 0, 1], [0, 1, 1, 0, 0]], dtype=torch.uint8).reshape(1, 2, 1, -1)
    module.on_validation_epoch_start()
    module.validation_step(SlabBatch(0, image, masks), 0)
    module.on_validation_epoch_end()
    assert logged["val/dice"] == 1.0
    assert logged["val/loss"] < 0.01
