import math
from typing import NamedTuple, get_args

import pytest
import torch
from torch.nn import functional

from lesionflow.config import TrainConfig
from lesionflow.training.losses import (
    LOSSES,
    SMOOTH,
    bce_loss,
    dice_bce_loss,
    dice_ce_loss,
    dice_loss,
    focal_loss,
    loss_of_shares,
    over_outputs,
    sums_over_batch,
    tversky_loss,
)

SHAPE = (2, 3, 5, 7)
#: Those that divide by sums over the batch: a process alone must not divide by its own.
SUMMING = {"dice", "dice_bce", "dice_ce", "tversky"}


class Row(NamedTuple):
    """A loss by hand: of one patch of one target and two voxels, of which the first belongs; p = 3/4 and 2/5 there."""

    value: float


LOGITS = torch.tensor([[[[math.log(3), math.log(2 / 3)]]]])
TARGETS = torch.tensor([[[[1, 0]]]])
# Of the two voxels TP = 3/4, FP = 2/5, FN = 1/4; 1 is added above and below.
_DICE = 1 - (2 * 0.75 + 1) / (2 * 0.75 + 0.4 + 0.25 + 1)
_BCE = -(math.log(0.75) + math.log(0.6)) / 2
ROWS = {
    "dice": Row(_DICE),
    "bce": Row(_BCE),
    "dice_bce": Row(_DICE + _BCE),
    # Of one target, background has odds of 1 : 3 and 1 : 2/3.
    "dice_ce": Row(_DICE - (math.log(3 / 4) + math.log(1 / (1 + 2 / 3))) / 2),
    "focal": Row((0.25 * 0.25**2 * -math.log(0.75) + 0.75 * 0.4**2 * -math.log(0.6)) / 2),
    "tversky": Row(1 - (0.75 + 1) / (0.75 + 0.3 * 0.4 + 0.7 * 0.25 + 1)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_its_value_by_hand(name):
    assert name in ROWS, (
        f"Expected a row for the loss {name} in ROWS of tests/unit/training/test_losses.py, found none: add the value that it "
        "has of LOGITS and TARGETS, by hand."
    )
    assert LOSSES[name](LOGITS, TARGETS).item() == pytest.approx(ROWS[name].value, rel=1e-6)
    assert set(ROWS) == set(LOSSES)


def test_params_may_name_every_loss_and_no_other():
    assert set(get_args(TrainConfig.model_fields["loss"].annotation)) == set(LOSSES), (
        "Expected `loss` of TrainConfig in src/lesionflow/config/sections/train.py to name the losses of training.losses.LOSSES."
    )


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_known_to_sum_by_what_it_takes(name):
    assert sums_over_batch(name), "where some voxels are not known, every loss divides by how many are"


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(SHAPE, generator=generator, dtype=torch.float64).float()
    return logits, (torch.rand(SHAPE, generator=generator) > 0.7).to(torch.uint8)


@pytest.fixture
def exclusive(pair):
    """No voxel belongs to two targets; some to none."""
    logits, targets = pair
    return logits, targets * (targets.cumsum(1) == 1).to(torch.uint8)


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


def test_dice_ce_of_one_target_is_dice_bce(pair):
    logits, targets = pair
    expected = dice_bce_loss(logits[:, :1], targets[:, :1]).item()
    assert dice_ce_loss(logits[:, :1], targets[:, :1]).item() == pytest.approx(expected, rel=1e-5)


def test_dice_ce_by_hand():
    # Odds 1 : 3 : 2 of background and two targets; the voxels are of the first target and of the background.
    logits = torch.tensor([[[[math.log(3)] * 2], [[math.log(2)] * 2]]])
    targets = torch.tensor([[[[1, 0]], [[0, 0]]]])
    cross_entropy = -(math.log(3 / 6) + math.log(1 / 6)) / 2
    dice = dice_loss(logits, targets).item()
    assert dice_ce_loss(logits, targets).item() == pytest.approx(dice + cross_entropy, rel=1e-5)


def test_one_output_weighs_alone(pair):
    assert over_outputs(dice_bce_loss, pair[0], pair[1]).item() == dice_bce_loss(*pair).item()


def test_coarser_outputs_have_half_the_weight_and_their_nearest_targets():
    targets = torch.zeros(1, 1, 4, 8, dtype=torch.uint8)
    targets[..., 1, 2:] = 1
    fine, coarse = torch.randn(1, 1, 4, 8), torch.randn(1, 1, 2, 4)
    # Of each 2 x 2 voxels the nearest to the coarse one's center, ties to the higher index.
    shrunk = targets[..., 1::2, 1::2]
    expected = (bce_loss(fine, targets) + 0.5 * bce_loss(coarse, shrunk)) / 1.5
    assert over_outputs(bce_loss, (fine, coarse), targets).item() == pytest.approx(expected.item(), rel=1e-6)
    equal = (bce_loss(fine, targets) + bce_loss(-fine, targets)) / 2
    assert over_outputs(bce_loss, (fine, -fine), targets).item() == pytest.approx(equal.item(), rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_falls_towards_zero_and_has_a_gradient(name, exclusive):
    logits, targets = exclusive
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


@pytest.mark.parametrize("name", LOSSES)
def test_the_mean_over_two_shares_is_the_loss_of_the_batch_where_sums_are_put_together(name, exclusive):
    """A share's partner is asked first for what it counts, and then heard by both."""
    counted = []

    def count(sums):
        counted.append(sums)
        return sums

    shares = [tuple(whole[i : i + 1] for whole in exclusive) for i in range(2)]
    for share in shares:
        loss_of_shares(name, count)(*share)
    values = [loss_of_shares(name, lambda _: sum(counted))(*share).item() for share in shares]
    assert len(counted) == (2 if name in SUMMING else 0), "one exchange a loss"
    whole = LOSSES[name](*exclusive).item()
    assert sum(values) / 2 == pytest.approx(whole, rel=1e-5)
    alone = sum(LOSSES[name](*share).item() for share in shares) / 2
    assert (alone == pytest.approx(whole, rel=1e-5)) == (name not in SUMMING)


def with_unknown(targets, share=0.3):
    """The targets, and behind them a mask of voxels that are not known."""
    generator = torch.Generator().manual_seed(1)
    unknown = (torch.rand((len(targets), 1, *targets.shape[2:]), generator=generator) < share).to(torch.uint8)
    return torch.cat([targets, unknown], dim=1), unknown


@pytest.mark.parametrize("name", LOSSES)
def test_no_loss_and_no_gradient_where_nothing_is_known(name, exclusive):
    """The loss is that of the known voxels alone, laid side by side; what the network says elsewhere is all the same to it."""
    logits, targets = exclusive
    marked, unknown = with_unknown(targets)
    logits.requires_grad_()
    loss = LOSSES[name](logits, marked)
    loss.backward()
    everywhere = unknown.bool().expand_as(logits)
    assert (logits.grad[everywhere] == 0).all()
    assert (logits.grad[~everywhere] != 0).all()
    known = ~unknown[:, 0].bool()
    rows = [tensor.movedim(1, -1)[known].T[None, :, None] for tensor in (logits.detach(), targets)]
    assert loss.item() == pytest.approx(LOSSES[name](*rows).item(), rel=1e-5)
    lied = torch.where(everywhere, 1 - targets, targets)
    shouted = torch.where(everywhere, 50 * logits.detach(), logits.detach())
    assert LOSSES[name](shouted, torch.cat([lied, unknown], 1)).item() == pytest.approx(loss.item(), rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_where_nothing_at_all_is_known_there_is_nothing_to_learn(name, exclusive):
    logits, targets = exclusive
    logits.requires_grad_()
    LOSSES[name](logits, torch.cat([targets, torch.ones_like(targets[:, :1])], 1)).backward()
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_of_all_that_is_known_is_as_ever(name, exclusive):
    logits, targets = exclusive
    marked = torch.cat([targets, torch.zeros_like(targets[:, :1])], 1)
    assert LOSSES[name](logits, marked).item() == pytest.approx(LOSSES[name](logits, targets).item(), rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_deep_supervision_learns_nothing_there_either(name):
    """The coarse output's voxels take the nearest of what is known; blocks of two voxels are known, or not, as a whole."""
    targets, unknown = torch.zeros(1, 2, 8, 8, dtype=torch.uint8), torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    targets[:, 0, 2:5, 2:6], unknown[..., 4:, :] = 1, 1
    outputs = tuple(
        torch.randn(1, 2, n, n, generator=torch.Generator().manual_seed(n)).requires_grad_() for n in (8, 4)
    )
    over_outputs(LOSSES[name], outputs, torch.cat([targets, unknown], 1)).backward()
    for output, half in zip(outputs, (4, 2), strict=True):
        assert (output.grad[..., half:, :] == 0).all()
        assert (output.grad[..., :half, :] != 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_shares_of_which_unequal_parts_are_known_make_the_loss_of_the_batch(name, exclusive):
    logits, targets = exclusive
    marked, _ = with_unknown(targets)
    marked[0, -1, :2] = 1
    counted = []
    shares = [(logits[i : i + 1], marked[i : i + 1]) for i in range(2)]

    def count(sums):
        counted.append(sums)
        return sums

    n_exchanges = []
    for share in shares:
        loss_of_shares(name, count)(*share)
        n_exchanges.append(len(counted))
    each = n_exchanges[0]
    answers = [sum(counted[number::each]) for number in range(each)]
    for share in shares:
        heard = iter(answers)
        value = loss_of_shares(name, lambda _, heard=heard: next(heard))(*share).item()
        assert value == pytest.approx(LOSSES[name](logits, marked).item(), rel=1e-5)
