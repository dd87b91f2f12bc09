import numpy as np
import pytest
import torch
from torch import nn

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.models import ARCHITECTURES, build_model, size_multiple
from lesionflow.models.ensemble import Ensemble, join_weights, weights_of_member

ONE = ArchitecturePlan(name="unet", options=dict(ARCHITECTURES["unet"].small_options))
THREE = ONE.model_copy(update={"n_members": 3})


class Add(nn.Module):
    def __init__(self, offset):
        super().__init__()
        self.offset = offset

    def forward(self, image):
        return image + self.offset


def build(plan, seed):
    torch.manual_seed(seed)
    return build_model(plan, in_channels=2, out_channels=1, dimensions=2).eval()


def test_it_answers_with_the_logit_of_the_mean_probability():
    image = torch.tensor([[-7.0, -0.5, 0.0, 3.0, 11.0]])
    offsets = (-2.0, 0.25, 4.0)
    given = np.array([[-7.0, -0.5, 0.0, 3.0, 11.0]])
    mean = np.mean([1 / (1 + np.exp(-(given + offset))) for offset in offsets], axis=0)
    answer = Ensemble([Add(offset) for offset in offsets])(image).numpy()
    np.testing.assert_allclose(answer, np.log(mean / (1 - mean)), rtol=1e-5)


def test_certainty_stays_finite_and_in_order():
    answer = Ensemble([Add(0.0), Add(1.0)])(torch.tensor([-900.0, -200.0, 200.0, 900.0]))
    assert torch.isfinite(answer).all()
    assert (answer.diff() > 0).all()
    # Of two that are sure of nothing being there, the mean is ruled by the less sure: half of its probability.
    assert answer[1].item() == pytest.approx(-199.0 + np.log((1 + np.exp(-1)) / 2), rel=1e-6)


def test_members_that_agree_are_one_of_them():
    network = build(ONE, 1)
    image = torch.randn(1, 2, 12, 20)
    torch.testing.assert_close(Ensemble([network, network])(image), network(image), rtol=1e-5, atol=1e-5)


def test_members_trained_apart_are_one_network_with_their_weights_by_prefix():
    members = [build(ONE, seed) for seed in (1, 2, 3)]
    joined = join_weights([member.state_dict() for member in members])
    ensemble = build(THREE, 4)
    ensemble.load_state_dict(joined, strict=True)
    image = torch.randn(2, 2, 12, 20)
    mean = torch.stack([torch.sigmoid(member(image).double()) for member in members]).mean(0)
    torch.testing.assert_close(torch.sigmoid(ensemble(image).double()), mean, rtol=1e-5, atol=1e-6)
    for number, member in enumerate(members):
        back = weights_of_member(joined, number)
        assert list(back) == list(member.state_dict())
        assert all(torch.equal(back[name], weight) for name, weight in member.state_dict().items())
    assert size_multiple(THREE) == size_multiple(ONE)


def test_the_weights_of_one_keep_their_names():
    assert join_weights([{"head.bias": 3}]) == {"head.bias": 3}


def test_the_tenth_member_is_not_taken_for_the_first():
    joined = join_weights([{"w": n} for n in range(11)])
    assert [weights_of_member(joined, n) for n in (1, 10)] == [{"w": 1}, {"w": 10}]


def test_it_can_be_exported_for_other_runtimes():
    ensemble = build(THREE, 5)
    image = torch.randn(2, 2, 12, 20)
    exported = torch.export.export(ensemble, (image,))
    torch.testing.assert_close(exported.module()(image), ensemble(image))
