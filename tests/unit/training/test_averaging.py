"""The moving average of the weights: validated and kept in their place, and resumed with them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import torch

from lesionflow.training import TrainingState, fit
from lesionflow.training.averaging import AveragedWeights
from support.training_cases import RECIPE, blob_data, tiny_network

AVERAGED = replace(RECIPE, averaging_decay=0.9, max_epochs=3)


def train(recipe, on_epoch=lambda _: None, resume=None):
    return fit(tiny_network, blob_data(), recipe, device="cpu", n_threads=1, on_epoch=on_epoch, resume=resume)


def test_the_average_is_that_of_the_formula():
    network = torch.nn.BatchNorm1d(1)
    module, averaging = SimpleNamespace(network=network), AveragedWeights(0.25)
    network.weight.data.fill_(8.0)
    averaging.on_train_start(None, module)
    for value in (4.0, 2.0, 16.0):
        network.weight.data.fill_(value)
        network.num_batches_tracked += 1
        averaging.on_train_batch_end(None, module)
    # d = 1/10, 2/11, then 3/12 = 0.25, by hand.
    first = 8 * 0.1 + 4 * 0.9
    second = first * 2 / 11 + 2 * 9 / 11
    third = second * 0.25 + 16 * 0.75
    with averaging.in_place(network):
        np.testing.assert_allclose(network.weight.item(), third, rtol=1e-6)
        assert network.num_batches_tracked.item() == 3
    assert network.weight.item() == 16.0


def test_what_is_kept_is_what_was_validated():
    states = []
    result = train(AVERAGED, on_epoch=states.append)
    best = max(states, key=lambda state: state.history[-1]["val/dice"])
    assert any(not torch.equal(best.network[name], torch.from_numpy(kept)) for name, kept in result.weights.items())

    network, dice = tiny_network().eval(), []
    network.load_state_dict({name: torch.from_numpy(kept) for name, kept in result.weights.items()})
    by_case = {}
    for batch in (blob_data().slabs[number] for number in range(len(blob_data().slabs))):
        rows, columns = batch.mask.shape[2:]
        with torch.no_grad():
            found = (network(batch.image)[..., :rows, :columns] >= 0).numpy()
        by_case.setdefault(batch.case, []).append((found, batch.mask.numpy() > 0))
    for pairs in by_case.values():
        found, true = (np.concatenate([pair[k] for pair in pairs]) for k in (0, 1))
        dice.append(2 * (found & true).sum() / (found.sum() + true.sum()))
    np.testing.assert_allclose(result.validation_dice, np.mean(dice), rtol=1e-6)


def test_a_resumed_average_goes_on_to_the_bit():
    states = []
    whole = train(AVERAGED, on_epoch=lambda state: states.append(state.to_bytes()))
    resumed = train(AVERAGED, resume=TrainingState.from_bytes(states[0]))
    assert all(np.array_equal(whole.weights[name], resumed.weights[name]) for name in whole.weights)
    assert [row["val/dice"] for row in whole.history] == [row["val/dice"] for row in resumed.history]


def test_averaging_changes_nothing_of_what_is_learned():
    one, other = [], []
    train(replace(AVERAGED, scheduler="cosine"), on_epoch=one.append)
    train(replace(AVERAGED, scheduler="cosine", averaging_decay=0.0), on_epoch=other.append)
    assert all(torch.equal(one[-1].network[name], other[-1].network[name]) for name in one[-1].network)
