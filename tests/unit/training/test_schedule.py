"""Minutes and learning rates, by a clock that the tests turn and by numbers worked out by hand."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from lesionflow.training import ProcessGroup, schedule
from lesionflow.training.schedule import Schedule, StopOnRequest, TimeBudget
from support.training_cases import RECIPE

TEN_MINUTES = replace(RECIPE, max_minutes=10.0)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved; it does not begin at 0."""
    clock = SimpleNamespace(now=7000.0)
    monkeypatch.setattr(schedule, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def new_trainer(**metrics):
    groups = [{"lr": 0.0}, {"lr": 0.0, "fraction": 0.25}]
    return SimpleNamespace(
        should_stop=False, optimizers=[SimpleNamespace(param_groups=groups)], callback_metrics=metrics
    )


def train(budget, clock, *, batch_s, n_batches, validation_s=None):
    """Train as Lightning calls: an epoch that is broken off is still validated. Return the batches of each epoch."""
    trainer, batches = new_trainer(), []
    while not trainer.should_stop:
        budget.on_train_epoch_start(trainer)
        batches.append(0)
        while batches[-1] < n_batches and not trainer.should_stop:
            clock.now += batch_s
            batches[-1] += 1
            budget.on_train_batch_end(trainer)
        if validation_s is not None:
            budget.on_validation_start(trainer)
            clock.now += validation_s
            budget.on_validation_end(trainer)
        budget.on_train_epoch_end(trainer, None)
    return batches


def test_training_stops_before_an_epoch_that_would_not_fit(clock):
    budget = TimeBudget(TEN_MINUTES, 0.0, 0)
    # Epochs of 100 s: after four, 400 + 110 fit into 600; after five, 500 + 110 do not.
    assert train(budget, clock, batch_s=10.0, n_batches=8, validation_s=20.0) == [8] * 5
    assert budget.elapsed_s == 500.0
    assert budget.epochs == 5
    assert budget.exhausted


def test_the_first_epoch_is_broken_off_when_a_tenth_of_the_minutes_is_left_for_its_validation(clock):
    budget = TimeBudget(TEN_MINUTES, 0.0, 0)
    # 60 s are kept back: at 500 s they are left, at 550 s no more.
    assert train(budget, clock, batch_s=50.0, n_batches=99, validation_s=40.0) == [11]
    assert budget.elapsed_s == 590.0
    assert budget.exhausted


def test_a_later_epoch_is_broken_off_when_only_a_validation_as_long_as_the_longest_fits(clock):
    budget, trainer = TimeBudget(TEN_MINUTES, 0.0, 0), new_trainer()
    for validation_s in (30.0, 80.0, 30.0):
        budget.on_validation_start(trainer)
        clock.now += validation_s
        budget.on_validation_end(trainer)
    # 1.1 x 80 s are kept back: 512 s is the end.
    for now, stops in ((511.0, False), (512.1, True)):
        clock.now = 7000.0 + now
        budget.on_train_batch_end(trainer)
        assert trainer.should_stop == stops


def test_without_validation_nothing_is_kept_back(clock):
    budget = TimeBudget(TEN_MINUTES, 0.0, 0, validates=False)
    assert train(budget, clock, batch_s=50.0, n_batches=99) == [12]
    assert budget.elapsed_s == 600.0


def test_the_longest_epoch_is_the_measure(clock):
    budget, trainer = TimeBudget(TEN_MINUTES, 0.0, 0), new_trainer()
    for epoch_s in (200.0, 100.0):
        budget.on_train_epoch_start()
        clock.now += epoch_s
        assert budget.epoch_s == epoch_s
        budget.on_train_epoch_end(trainer, None)
    # 300 s are left: one and a half epochs of 200 s, though the last took 100.
    assert budget.affordable_epochs == 3.5
    assert not trainer.should_stop
    clock.now += 81.0
    assert not budget.fits_another_epoch


def test_the_parts_before_a_kill_count_and_tell_how_long_an_epoch_takes(clock):
    budget = TimeBudget(TEN_MINUTES, elapsed_s=300.0, epochs_done=3)
    assert budget.elapsed_s == 300.0
    assert budget.affordable_epochs == 6.0
    clock.now += 189.0
    assert budget.fits_another_epoch
    clock.now += 2.0
    assert not budget.fits_another_epoch
    clock.now += 200.0
    assert budget.affordable_epochs == 3.0


def test_before_an_epoch_is_measured_all_of_them_can_be_afforded(clock):
    budget = TimeBudget(TEN_MINUTES, 0.0, 0)
    assert budget.affordable_epochs == math.inf
    assert budget.fits_another_epoch


def test_a_first_batch_in_which_a_network_is_compiled_is_no_measure_of_an_epoch(clock):
    for warms_up, longest_s in ((True, 20.0), (False, 120.0)):
        budget, trainer = TimeBudget(TEN_MINUTES, 0.0, 0, warms_up=warms_up), new_trainer()
        budget.on_train_epoch_start()
        for batch_s in (100.0, 10.0, 10.0):
            clock.now += batch_s
            budget.on_train_batch_end(trainer)
        assert budget.epoch_s == longest_s
        assert budget.elapsed_s == 120.0
        budget.on_train_epoch_end(trainer, None)
        # 480 s are left.
        assert budget.affordable_epochs == 1 + 480 / longest_s


class OthersSay(ProcessGroup):
    """One of two processes; the other one has raised its flag, or leads."""

    def any(self, flag):
        return True

    def share(self, value):
        return 0.125


def test_where_one_clock_says_stop_all_stop(clock):
    for happens in ("on_train_batch_end", "on_train_epoch_end"):
        budget, trainer = TimeBudget(TEN_MINUTES, 0.0, 0, processes=OthersSay(rank=1, size=2)), new_trainer()
        getattr(budget, happens)(trainer, None)
        assert trainer.should_stop
        assert budget.exhausted


def test_no_epoch_at_all_is_an_error_that_names_the_key(clock):
    assert "train.max_minutes" in str(TimeBudget(TEN_MINUTES, 0.0, 0).too_short())


def test_a_request_is_asked_for_after_each_batch_until_it_comes():
    answers, trainer = iter([False, False, True]), new_trainer()
    stop = StopOnRequest(lambda: next(answers))
    seen = []
    for _ in range(5):
        stop.on_train_batch_end(trainer)
        seen.append((stop.requested, trainer.should_stop))
    assert seen == [(False, False)] * 2 + [(True, True)] * 3


def test_a_request_to_one_process_is_one_to_all():
    trainer = new_trainer()
    stop = StopOnRequest(lambda: False, OthersSay(rank=0, size=2))
    stop.on_train_batch_end(trainer)
    assert stop.requested
    assert trainer.should_stop


def rates(recipe, affordable, processes=None):
    """The learning rate of each epoch, of all weights and of those of the encoder, by what can be afforded then."""
    budget, trainer = SimpleNamespace(epochs=0, affordable_epochs=math.inf), new_trainer()
    made = Schedule(recipe, budget, *([processes] if processes else []))
    found = []
    for budget.epochs, budget.affordable_epochs in enumerate(affordable):
        made.on_train_epoch_start(trainer, None)
        whole, encoder = (group["lr"] for group in trainer.optimizers[0].param_groups)
        assert made.learning_rate == whole
        assert encoder == whole / 4
        found.append(whole)
    return found


@pytest.mark.parametrize(
    ("scheduler", "fractions"),
    [
        # (1 + cos(k pi / 6)) / 2: half the sum of 1 and 1, sqrt(3)/2, 1/2, 0, -1/2, -sqrt(3)/2.
        ("cosine", [1.0, 0.9330127, 0.75, 0.5, 0.25, 0.0669873]),
        # (1 - k/6) to the power 0.9, by a calculator.
        ("polynomial", [1.0, 0.8486661, 0.6942532, 0.5358867, 0.3720411, 0.1993719]),
    ],
)
def test_a_learning_rate_falls_to_zero_at_the_last_of_six_epochs(scheduler, fractions):
    recipe = replace(RECIPE, scheduler=scheduler, learning_rate=0.02, max_epochs=6)
    assert rates(recipe, [math.inf] * 6) == pytest.approx([0.02 * part for part in fractions], rel=1e-6)


def test_a_curve_is_fitted_to_the_epochs_that_can_be_afforded():
    recipe = replace(RECIPE, scheduler="cosine", learning_rate=0.02, max_epochs=1000)
    # Nothing is measured at first; then 4 epochs fit, then but 3; at last fewer than are done.
    found = rates(recipe, [math.inf, 4.0, 3.0, 2.5])
    assert found == pytest.approx([0.02, 0.02 * 0.8535534, 0.02 * 0.25, 0.0], abs=1e-9)


def test_all_processes_learn_at_the_leaders_rate():
    recipe = replace(RECIPE, scheduler="cosine", learning_rate=0.02, max_epochs=6)
    assert rates(recipe, [math.inf] * 2, OthersSay(rank=1, size=2)) == [0.125, 0.125]


#: Dice of each epoch, and the rate of the epoch after it: it falls to 0.3 of itself after more than 2 epochs no better.
DICE = [0.5, 0.5, 0.4, 0.5, 0.6, 0.6, 0.1, 0.2, 0.3]
PLATEAU = [0.02, 0.02, 0.02, 0.006, 0.006, 0.006, 0.006, 0.0018, 0.0018]
FALLING = replace(RECIPE, scheduler="plateau", learning_rate=0.02, plateau_patience_epochs=2, plateau_factor=0.3)


def go_on(made, dice):
    found = []
    for value in dice:
        made.on_train_epoch_end(new_trainer(**{"val/dice": value}), None)
        made.on_train_epoch_start(new_trainer(), None)
        found.append(made.learning_rate)
    return found


def test_on_a_plateau_the_learning_rate_falls_after_its_patience():
    made = Schedule(FALLING, SimpleNamespace(epochs=0, affordable_epochs=math.inf))
    assert made.learning_rate == 0.02
    assert go_on(made, DICE) == pytest.approx(PLATEAU)


@pytest.mark.parametrize("done", range(len(DICE)))
def test_a_resumed_plateau_goes_on_as_if_undisturbed(done):
    budget = SimpleNamespace(epochs=0, affordable_epochs=math.inf)
    before, after = Schedule(FALLING, budget), Schedule(FALLING, budget)
    go_on(before, DICE[:done])
    after.load_state_dict(before.state_dict())
    assert go_on(after, DICE[done:]) == pytest.approx(PLATEAU[done:])


def test_an_epoch_that_was_not_validated_says_nothing_of_a_plateau():
    made = Schedule(FALLING, SimpleNamespace(epochs=0, affordable_epochs=math.inf))
    for _ in range(9):
        made.on_train_epoch_end(new_trainer(), None)
        made.on_train_epoch_start(new_trainer(), None)
    assert made.learning_rate == 0.02
