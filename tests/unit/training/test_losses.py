import math

import pytest
import torch
from torch.nn import functional

from lesionflow.training.losses import LOSSES, SMOOTH, bce_loss, dice_bce_loss, dice_loss, focal_loss, tversky_loss

SHAPE = (2, 3, 5, 7)


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(SHAPE, generator=generator, dtype=torch.float64).float()
    return logits, (torch.rand(SHAPE, generator=generator) > 0.7).to(torch.uint8)


def test_bce_is_torchs(pair):
    logits, targets = pair
    expected = functional.binary_cross_entropy(torch.sigmoid(logits), targets.float())
    assert bce_loss(logits, targets).item() == pytest.approx(expected.item(), rel=1e-5)


def test_dice_by_hand():
    # Probabilities 0.75 and 0.25 on a pixel that belongs and one that does not, in each of two patches.
    half = math.log(3)
    logits = torch.tensor([[[[half, -half]]], [[[half, -half]]]])
    targets = torch.tensor([[[[1, 0]]], [[[1, 0]]]])
    over_batch = 1 - (2 * 1.5 + SMOOTH) / (2.0 + 2.0 + SMOOTH)
    by_patch = 1 - (2 * 0.75 + SMOOTH) / (1.0 + 1.0 + SMOOTH)
    assert dice_loss(logits, targets).item() == pytest.approx(over_batch, rel=1e-6)
    assert dice_loss(logits, targets, over_batch=False).item() == pytest.approx(by_patch, rel=1e-6)


def test_dice_over_the_batch_agrees_with_monai(pair):
    monai = pytest.importorskip("monai.losses")
    logits, targets = pair
    theirs = monai.DiceLoss(sigmoid=True, batch=True, smooth_nr=SMOOTH, smooth_dr=SMOOTH)(logits, targets.float())
    assert dice_loss(logits, targets).item() == pytest.approx(theirs.item(), rel=1e-5)


def test_tversky_with_equal_weights_would_be_dice_and_with_ours_agrees_with_monai(pair):
    monai = pytest.importorskip("monai.losses")
    logits, targets = pair
    theirs = monai.TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7, batch=True, smooth_nr=SMOOTH, smooth_dr=SMOOTH)
    assert tversky_loss(logits, targets).item() == pytest.approx(theirs(logits, targets.float()).item(), rel=1e-5)


def test_tversky_punishes_a_missed_voxel_more_than_a_false_one():
    missed = tversky_loss(torch.full((1, 1, 2, 4), -9.0), torch.tensor([[[[1] * 4, [0] * 4]]]))
    both = torch.tensor([[[[9.0] * 4, [-9.0] * 4]]])
    false = tversky_loss(both, torch.zeros(1, 1, 2, 4))
    one_missed = tversky_loss(torch.tensor([[[[9.0, -9.0]]]]), torch.tensor([[[[1, 1]]]]))
    one_false = tversky_loss(torch.tensor([[[[9.0, 9.0]]]]), torch.tensor([[[[1, 0]]]]))
    assert one_missed > one_false
    assert missed > 0.5
    assert false > 0.5


def test_focal_by_hand_and_fading():
    logits = torch.tensor([[[[math.log(3), math.log(3)]]]])
    targets = torch.tensor([[[[1, 0]]]])
    right = 0.25 * 0.25**2 * -math.log(0.75)
    wrong = 0.75 * 0.75**2 * -math.log(0.25)
    assert focal_loss(logits, targets).item() == pytest.approx((right + wrong) / 2, rel=1e-5)


def test_dice_bce_is_the_sum(pair):
    assert dice_bce_loss(*pair).item() == pytest.approx((dice_loss(*pair) + bce_loss(*pair)).item())


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_falls_towards_zero_and_has_a_gradient(name, pair):
    logits, targets = pair
    perfect = (targets.float() * 2 - 1) * 30
    assert LOSSES[name](perfect, targets).item() == pytest.approx(0, abs=1e-3)
    assert LOSSES[name](-perfect, targets) > LOSSES[name](logits, targets) > LOSSES[name](perfect, targets)
    leaf = logits.clone().requires_grad_()
    LOSSES[name](leaf, targets).backward()
    assert torch.isfinite(leaf.grad).all()
    assert leaf.grad.abs().sum() > 0


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_finite_where_nothing_belongs_and_in_half_precision(name):
    logits, targets = torch.full((2, 1, 9, 11), -20.0), torch.zeros(2, 1, 9, 11)
    assert LOSSES[name](logits, targets).item() == pytest.approx(0, abs=1e-4)
    big = torch.full((2, 1, 300, 300), 3.0, dtype=torch.bfloat16)
    assert torch.isfinite(LOSSES[name](big, torch.ones(2, 1, 300, 300)))
