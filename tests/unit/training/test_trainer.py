import logging
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lesionflow.errors import ConfigError, LesionFlowError
from lesionflow.training import ProcessGroup, TrainingState, fit, schedule
from support.training_cases import RECIPE, blob_case, blob_data, tiny_network

TESTS = Path(__file__).resolve().parents[2]


def train(recipe=RECIPE, data=None, on_epoch=lambda _: None, resume=None, network=tiny_network):
    return fit(network, data or blob_data(), recipe, device="cpu", n_threads=1, on_epoch=on_epoch, resume=resume)


def same_weights(one, other):
    return set(one) == set(other) and all(np.array_equal(one[k], other[k]) for k in one)


@pytest.fixture(scope="module")
def undisturbed():
    """A whole training, with the state after each epoch."""
    states = []
    return train(on_epoch=lambda state: states.append(state.to_bytes())), states


class OneWeight(torch.nn.Module):
    """Adds a weight to the middle slice: its validation Dice can be steered by what the loss gives."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, image):
        return image[:, 1:2] * 0 + self.weight - 10


def test_it_learns_what_no_single_voxel_shows():
    """Tumor and background differ by one standard deviation of the noise."""
    case = blob_case(2)
    by_threshold = max(
        2 * ((case.image[0] > t) & (case.mask > 0)).sum() / ((case.image[0] > t).sum() + case.mask.sum())
        for t in np.linspace(-1, 3, 41)
    )
    assert by_threshold < 0.5
    result = train(replace(RECIPE, max_epochs=12))
    assert result.validation_dice > 0.8
    assert result.stopped_by == "max_epochs"
    assert result.epochs == 12
    assert result.validation_dice == max(row["val/dice"] for row in result.history)


def test_two_trainings_are_equal_to_the_bit(undisturbed):
    again = train(data=blob_data(n_workers=1))
    assert same_weights(again.weights, undisturbed[0].weights)
    for one, other in zip(again.history, undisturbed[0].history, strict=True):
        assert {**one, "epoch_s": 0} == {**other, "epoch_s": 0}
    assert not same_weights(train(replace(RECIPE, seed=4, max_epochs=1)).weights, again.weights)


@pytest.mark.parametrize("done", [1, 3])
@pytest.mark.parametrize("n_workers", [0, 1])
def test_a_resumed_training_ends_like_an_undisturbed_one(undisturbed, done, n_workers):
    result, states = undisturbed
    later = []
    resumed = train(data=blob_data(n_workers), resume=TrainingState.from_bytes(states[done - 1]), on_epoch=later.append)
    assert len(later) == RECIPE.max_epochs - done
    last = TrainingState.from_bytes(states[-1])
    assert all(torch.equal(last.network[k], later[-1].network[k]) for k in last.network)
    assert same_weights(resumed.weights, result.weights)
    assert [r["val/dice"] for r in resumed.history] == [r["val/dice"] for r in result.history]
    assert [r["lr"] for r in resumed.history] == [r["lr"] for r in result.history]


def test_a_training_killed_in_the_middle_of_an_epoch_ends_like_an_undisturbed_one(undisturbed, tmp_path):
    script = textwrap.dedent(f"""
        import sys, time
        sys.path.insert(0, {str(TESTS)!r})
        from pathlib import Path
        from lesionflow.io.files import replacing_file
        from lesionflow.training import fit
        from support.training_cases import RECIPE, blob_case, blob_data, tiny_network

        class Slow:
            def __init__(self, inner): self.inner = inner
            def __getattr__(self, name): return getattr(self.inner, name)
            def __getitem__(self, key):
                time.sleep(0.02)
                return self.inner[key]

        def keep(state):
            with replacing_file(Path({str(tmp_path)!r}) / "last.ckpt") as partial:
                partial.write_bytes(state.to_bytes())

        data = blob_data()
        data.patches = Slow(data.patches)
        fit(tiny_network, data, RECIPE, device="cpu", n_threads=1, on_epoch=keep)
    """)
    process = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 60
    while not (tmp_path / "last.ckpt").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.1)  # into the next epoch, which takes 0.6 s
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    state = TrainingState.from_bytes((tmp_path / "last.ckpt").read_bytes())
    assert 1 <= state.epochs < RECIPE.max_epochs
    assert same_weights(train(resume=state).weights, undisturbed[0].weights)


def test_a_finished_training_resumed_does_nothing(undisturbed):
    result, states = undisturbed
    called = []
    resumed = train(resume=TrainingState.from_bytes(states[-1]), on_epoch=called.append)
    assert called == []
    assert resumed.stopped_by == "max_epochs"
    assert same_weights(resumed.weights, result.weights)


def test_early_stopping_after_its_patience_and_again_when_resumed():
    # A constant prediction of nothing has Dice 0 for ever: no epoch is better than the first.
    recipe = replace(RECIPE, max_epochs=30, early_stopping_patience_epochs=3, learning_rate=1e-6)
    states = []
    result = train(recipe, network=OneWeight, on_epoch=states.append)
    assert result.stopped_by == "early_stopping"
    assert result.epochs == 4
    resumed = train(recipe, network=OneWeight, resume=states[-1])
    assert (resumed.stopped_by, resumed.epochs) == ("early_stopping", 4)


def test_the_plateau_lowers_the_learning_rate_after_its_patience():
    recipe = replace(RECIPE, max_epochs=8, plateau_patience_epochs=1, plateau_factor=0.5, learning_rate=1e-6,
                     early_stopping_patience_epochs=99)  # fmt: skip
    rates = [row["lr"] for row in train(recipe, network=OneWeight).history]
    # Epochs 2 and 3 are no better than epoch 1: more than the patience of one.
    assert rates == pytest.approx([1e-6] * 3 + [5e-7] * 2 + [2.5e-7] * 2 + [1.25e-7])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("polynomial", [(1 - i / 4) ** 0.9 for i in range(4)]), ("cosine", [1.0, 0.853553, 0.5, 0.146447])],
)
def test_schedules_end_with_the_epochs(name, expected):
    recipe = replace(RECIPE, scheduler=name, learning_rate=1e-3)
    rates = [row["lr"] for row in train(recipe, network=OneWeight).history]
    assert rates == pytest.approx([1e-3 * e for e in expected], rel=1e-5)


@pytest.fixture
def clock(monkeypatch):
    """The clock of the budget: it stands still until a sample is read."""
    clock = SimpleNamespace(now=7000.0)
    monkeypatch.setattr(schedule, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def slow_data(clock, seconds_a_sample):
    data = blob_data()
    inner = data.patches

    class Slow:
        watch, finish = inner.watch, inner.finish

        def __getitem__(self, key):
            clock.now += seconds_a_sample
            return inner[key]

    data.patches = Slow()
    return data


def test_the_budget_is_never_exceeded_and_the_schedule_is_fitted_to_it(clock):
    # An epoch takes 8 x 4 x 10 s = 320 s: seven of them fit into 2,400 s, and half of one more.
    recipe = replace(RECIPE, max_epochs=1000, max_minutes=40.0, scheduler="polynomial")
    result = train(recipe, slow_data(clock, 10.0))
    assert result.stopped_by == "max_minutes"
    assert result.epochs == 7
    assert result.minutes * 60 == 7 * 320
    assert result.history[-1]["lr"] == pytest.approx(recipe.learning_rate * (1 - 6 / 7.5) ** 0.9)


def test_a_budget_shorter_than_an_epoch_still_gives_weights(clock):
    # A batch takes 80 s, an epoch of eight 640 s; after five batches nothing is left, and a tenth is kept back.
    result = train(replace(RECIPE, max_minutes=400 / 60), slow_data(clock, 20.0))
    assert result.stopped_by == "max_minutes"
    assert result.epochs == 1
    assert result.minutes * 60 == 400


def test_a_resumed_training_has_only_the_rest_of_the_budget(undisturbed):
    state = replace(TrainingState.from_bytes(undisturbed[1][1]), elapsed_s=299.9)
    called = []
    result = train(resume=state, on_epoch=called.append)
    assert result.stopped_by == "max_minutes"
    assert called == []


class Diverging(torch.nn.Module):
    """Becomes NaN after `n` forward passes in training."""

    def __init__(self, n):
        super().__init__()
        self.inner = tiny_network()
        self.left = n

    def forward(self, image):
        self.left -= self.training
        return self.inner(image) * (1 if self.left >= 0 else float("nan"))


def test_a_nan_loss_stops_keeps_the_best_weights_and_says_so(caplog):
    with caplog.at_level(logging.WARNING, logger="lesionflow"):
        result = train(network=lambda: Diverging(20))
    assert result.stopped_by == "non_finite_loss"
    assert result.epochs == 2
    assert all(np.isfinite(w).all() for w in result.weights.values())
    assert "training stopped in epoch 3" in caplog.text
    assert "nan" in caplog.text
    assert "train.learning_rate" in caplog.text


def test_a_nan_loss_in_the_first_epoch_is_an_error():
    with pytest.raises(LesionFlowError, match=r"first epoch.*nan.*train\.learning_rate"):
        train(network=lambda: Diverging(3))


class Harmed(torch.nn.Module):
    """Finite in training, NaN when validated: as after a last step with a gradient of NaN."""

    def __init__(self):
        super().__init__()
        self.inner = tiny_network()

    def forward(self, image):
        return self.inner(image) * (1 if self.training else float("nan"))


def test_weights_that_are_harmed_by_the_last_step_of_an_epoch_are_never_kept():
    with pytest.raises(LesionFlowError, match=r"first epoch.*nan"):
        train(network=Harmed)


def test_torch_is_left_as_it_was():
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    fill = torch.utils.deterministic.fill_uninitialized_memory
    train(replace(RECIPE, max_epochs=1))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    assert torch.utils.deterministic.fill_uninitialized_memory == fill


def test_a_batch_that_can_not_be_divided_is_refused():
    with pytest.raises(ConfigError, match=r"plan\.batch_size.*multiple of the 3 processes.*found 4"):
        fit(
            tiny_network, blob_data(), RECIPE, device="cpu", n_threads=1, on_epoch=print, processes=ProcessGroup(size=3)
        )


def test_a_validation_smaller_than_the_process_group_is_refused():
    data = blob_data()
    data.batch_size, data.slabs.chunks = 16, data.slabs.chunks[:3]
    with pytest.raises(ConfigError, match=r"each of 4 processes, found 3"):
        fit(tiny_network, data, RECIPE, device="cpu", n_threads=1, on_epoch=print, processes=ProcessGroup(size=4))


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU; there is no g++")
def test_a_compiled_network_trains_as_the_plain_one():
    recipe = replace(RECIPE, max_epochs=2, precision="float32", optimizer="sgd", learning_rate=1e-2)

    def network():
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 1, 3, padding=1)
        )

    plain, compiled = (train(replace(recipe, compile=wanted), network=network) for wanted in (False, True))
    assert set(plain.weights) == set(compiled.weights)
    for name, weight in plain.weights.items():
        np.testing.assert_allclose(compiled.weights[name], weight, rtol=1e-3, atol=1e-5)
    for one, other in zip(plain.history, compiled.history, strict=True):
        assert other["val/loss"] == pytest.approx(one["val/loss"], rel=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns_in_each_precision_with_weights_of_32_bits(precision):
    result = train(replace(RECIPE, max_epochs=12, precision=precision))
    assert result.validation_dice > 0.8
    assert {w.dtype for w in result.weights.values()} == {np.dtype("float32")}


def test_who_asks_for_the_end_gets_a_validated_model():
    asked = []

    def after_six_batches():
        asked.append(1)
        return len(asked) >= 6

    result = fit(
        tiny_network, blob_data(batches_per_epoch=4), replace(RECIPE, max_epochs=50), device="cpu", n_threads=1,
        on_epoch=lambda _: None, should_stop=after_six_batches,
    )  # fmt: skip
    assert result.stopped_by == "request"
    assert result.epochs == 2
    assert len(asked) == 6
    assert result.validation_dice == max(row["val/dice"] for row in result.history)
