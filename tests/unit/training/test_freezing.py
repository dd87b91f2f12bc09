from dataclasses import replace
from types import SimpleNamespace

import torch

from lesionflow.training import TrainingState, fit
from lesionflow.training.freezing import FrozenEncoder
from support.training_cases import RECIPE, blob_data

FROZEN_TWO = replace(RECIPE, max_epochs=3, frozen_epochs=2, encoder=r"0\.", encoder_learning_rate_fraction=0.1)


def with_statistics():
    encoder = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    return torch.nn.Sequential(encoder, torch.nn.Conv2d(4, 1, 1))


def train(recipe, resume=None):
    states = []
    result = fit(
        with_statistics, blob_data(batches_per_epoch=3), recipe, device="cpu", n_threads=1,
        on_epoch=lambda state: states.append(state.to_bytes()), resume=resume,
    )  # fmt: skip
    return result, [TrainingState.from_bytes(state) for state in states]


def changed(one, other):
    return {name for name in one.network if not torch.equal(one.network[name], other.network[name])}


def test_a_frozen_encoder_stays_with_its_statistics_and_then_learns():
    result, (first, second, third) = train(FROZEN_TWO)
    head = {"1.weight", "1.bias"}
    assert changed(first, second) == head
    everything = {"0.0.weight", "0.0.bias", "0.1.weight", "0.1.bias", "0.1.running_mean", "0.1.running_var"}
    assert changed(second, third) == head | everything | {"0.1.num_batches_tracked"}
    resumed, _ = train(FROZEN_TWO, resume=first)
    assert resumed.history == [
        {**row, "epoch_s": again["epoch_s"]} for row, again in zip(result.history, resumed.history, strict=True)
    ]


def test_rates_keep_their_fraction_whatever_the_schedule_says():
    _, states = train(replace(FROZEN_TWO, scheduler="cosine"))
    groups = states[1].optimizer["param_groups"]
    assert groups[0]["lr"] == 0.1 * groups[1]["lr"] < 0.1 * RECIPE.learning_rate


def test_statistics_shared_by_several_gpus_stay_too():
    network = torch.nn.SyncBatchNorm.convert_sync_batchnorm(with_statistics())
    module = SimpleNamespace(network=network)
    for epoch, learns in ((1, False), (2, True)):
        FrozenEncoder(FROZEN_TWO, SimpleNamespace(epochs=epoch)).on_train_epoch_start(None, module)
        assert network[0][1].training is learns
        assert network[1].training
