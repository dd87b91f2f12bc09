"""Who serves: switched at once, on trial with the last proven one behind, given up for what that one can do."""

import errno
import types

import pytest

from lesionflow.errors import ArtifactError, InputError, MachineError
from lesionflow.serving.children.failures import ChildDiedError, DeadlineError, StoppedError
from lesionflow.serving.generations.lineup import MOST_FAILURES, TRIAL_STUDIES, Lineup, may_be_models_fault
from lesionflow.serving.problems import RequestRefusedError


class Model:
    """Does what its `does` does."""

    def __init__(self, name):
        self.title, self.does, self.closed = name, lambda: name, False
        self.model = types.SimpleNamespace(
            name="m", version=name, doubt="", bundle=types.SimpleNamespace(digest="d" * 64)
        )

    def __repr__(self):
        return self.title

    def close(self):
        self.closed = True


def failing(error):
    def fail():
        raise error

    return fail


@pytest.fixture
def returned():
    return []


@pytest.fixture
def lineup(returned):
    return Lineup(lambda model, error: returned.append((model, error)))


def do(lineup):
    return lineup.do(lambda model: model.does())


def test_the_model_that_serves_when_work_begins_does_it_to_its_end(lineup):
    old, new = Model("old"), Model("new")
    lineup.switch(old)

    def work(model):
        lineup.switch(new)
        return model

    assert lineup.do(work) is old
    assert lineup.standing.now is new


def test_work_that_one_version_was_asked_for_is_done_by_no_other(lineup, returned):
    old, new = Model("old"), Model("new")
    lineup.switch(old)
    lineup.switch(new)
    assert lineup.do_by("new", lambda model: model.does()) == "new"
    for version in ("old", "newest"):
        with pytest.raises(RequestRefusedError) as refused:
            lineup.do_by(version, lambda model: model.does())
        assert (refused.value.http_status, refused.value.code) == (409, "other_version_serves")
    new.does = failing(KeyError("x"))
    with pytest.raises(KeyError):
        lineup.do_by("new", lambda model: model.does())
    assert (lineup.standing, returned) == ((new, old, 1, 0), [])


def test_the_one_before_stays_until_the_new_one_has_proven_itself(lineup):
    old, new = Model("old"), Model("new")
    lineup.switch(old)
    assert do(lineup) == "old"
    lineup.switch(new)
    for _ in range(TRIAL_STUDIES - 1):
        assert do(lineup) == "new"
    assert lineup.standing.before is old
    do(lineup)
    assert lineup.standing[:2] == (new, None)


def test_of_models_on_trial_the_last_proven_one_stays_behind(lineup):
    old, new, newest = Model("old"), Model("new"), Model("newest")
    for model in (old, new, newest):
        lineup.switch(model)
    assert lineup.standing[:2] == (newest, old)
    # And going back to it needs none behind.
    lineup.switch(old)
    assert lineup.standing[:2] == (old, None)


def test_what_a_new_model_fails_on_and_the_old_one_can_do_is_answered_and_gives_the_new_one_up(lineup, returned):
    old, new = Model("old"), Model("new")
    lineup.switch(old)
    lineup.switch(new)
    new.does = failing(KeyError("x"))
    for _ in range(MOST_FAILURES - 1):
        assert (do(lineup), lineup.standing.now) == ("old", new)
    assert returned == []
    assert do(lineup) == "old"
    assert lineup.standing[:2] == (old, None)
    ((model, error),) = returned
    assert (model.title, type(error)) == ("new", KeyError)


def test_failures_count_in_a_row_alone(lineup, returned):
    old, new = Model("old"), Model("new")
    lineup.switch(old)
    lineup.switch(new)
    for _ in range(3):
        new.does = failing(KeyError("x"))
        for _ in range(MOST_FAILURES - 1):
            assert do(lineup) == "old"
        new.does = lambda: "new"
        assert do(lineup) == "new"
    assert (returned, lineup.standing.now, lineup.standing.n_done) == ([], new, 3)


def test_what_the_old_one_can_not_do_either_is_not_the_new_ones_fault(lineup, returned):
    old, new = Model("old"), Model("new")
    lineup.switch(old)
    lineup.switch(new)
    old.does, new.does = failing(ValueError("old")), failing(KeyError("new"))
    for _ in range(MOST_FAILURES + 1):
        with pytest.raises(ValueError, match="old"):
            do(lineup)
    assert (returned, lineup.standing[:2], lineup.standing.n_failed) == ([], (new, old), 0)


def test_what_serves_no_more_is_closed_when_its_last_study_is_through(lineup):
    old, new, newest = Model("old"), Model("new"), Model("newest")
    lineup.switch(old)
    lineup.switch(new)
    closed = []

    def work(model):
        lineup.switch(newest)
        closed.append(new.closed)
        return model

    assert lineup.do(work) is new
    # Neither serves it nor stands it behind: it was in work alone.
    assert (closed, new.closed, old.closed) == ([False], True, False)
    for _ in range(TRIAL_STUDIES):
        do(lineup)
    assert (old.closed, newest.closed) == (True, False)
    lineup.close()
    assert newest.closed


def test_what_is_loaded_when_the_service_has_stopped_is_closed_at_once(lineup):
    """Else its processes would stay behind."""
    lineup.close()
    late = Model("late")
    lineup.switch(late)
    assert (late.closed, lineup.standing.now) == (True, None)


@pytest.mark.parametrize(
    ("error", "may_be"),
    [
        (InputError("two", reason="mixed_series"), False),
        (RequestRefusedError("large", status=413, code="too_many_files"), False),
        (MachineError("full", code="disk_full"), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (MemoryError(), False),
        (StoppedError("cancelled"), False),
        (DeadlineError(5.0), False),
        (ChildDiedError("SIGSEGV"), True),
        (RuntimeError("shapes"), True),
        (ArtifactError("weights"), True),
    ],
)
def test_a_study_a_request_and_a_machine_are_no_models_fault(lineup, returned, error, may_be):
    assert may_be_models_fault(error) is may_be
    old, new = Model("old"), Model("new")
    lineup.switch(old)
    lineup.switch(new)
    new.does = failing(error)
    if may_be:
        assert do(lineup) == "old"
    else:
        with pytest.raises(type(error)):
            do(lineup)
        assert lineup.standing.n_failed == 0


def test_without_one_behind_a_failure_is_told_as_it_is(lineup):
    only = Model("only")
    lineup.switch(only)
    only.does = failing(KeyError("x"))
    with pytest.raises(KeyError):
        do(lineup)
    assert lineup.standing.now is only
