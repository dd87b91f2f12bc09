"""States of a job."""

from lesionflow.jobs.job import JobState


def test_three_states_are_ends():
    assert {state for state in JobState if state.ended} == {JobState.DONE, JobState.FAILED, JobState.CANCELLED}
