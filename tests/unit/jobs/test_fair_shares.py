"""Owners come in turn: against the order that a plain simulation by hand gives."""

import itertools
import random

import pytest

from lesionflow.jobs import queue as jobs_queue
from lesionflow.jobs.job import JobState
from lesionflow.jobs.job_database import open_database
from lesionflow.jobs.queue import JobQueue


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A line whose clock goes on by a millisecond whenever somebody looks at it."""
    clock = itertools.count(1_000_000_000_000)
    monkeypatch.setattr(jobs_queue, "_now_ms", lambda: next(clock))
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield JobQueue(engine, "lungs/champion")
    engine.dispose()


def submit(queue, owner):
    return queue.submit({"owner": owner}, "0" * 64, owner=owner).job.id


def drain(queue):
    """Do all jobs one after another; return their ids in that order."""
    done = []
    while (job := queue.claim("w", 1e9)) is not None:
        done.append(job.id)
        queue.end(job, "w", JobState.DONE, {})
    return done


def test_one_study_does_not_wait_for_a_thousand_of_another_client(queue):
    many = [submit(queue, "ward") for _ in range(200)]
    drained_first = queue.claim("w", 1e9)
    one = submit(queue, "clinic")
    assert queue.n_before(one) == 1
    queue.end(drained_first, "w", JobState.DONE, {})
    order = drain(queue)
    assert order[0] == one
    assert order[1:] == many[1:]


def test_who_comes_again_and_again_gets_no_more_than_a_turn(queue):
    """A client that hands in a study whenever its last is done does not keep the others out."""
    waiting = [submit(queue, "ward") for _ in range(20)]
    submit(queue, "clinic")
    begun = []
    for _ in range(20):
        job = queue.claim("w", 1e9)
        begun.append(job.owner)
        queue.end(job, "w", JobState.DONE, {})
        if job.owner == "clinic":
            submit(queue, "clinic")
    assert [owner for owner, _ in itertools.groupby(begun)] == begun, "an owner came twice in a row"
    assert queue.get(waiting[9]).state is JobState.DONE


@pytest.mark.parametrize("seed", range(4))
def test_the_place_that_is_told_is_the_place_that_it_gets(queue, seed):
    draw = random.Random(seed)
    owners = [draw.choice(["a", "a", "a", "b", "c", None]) for _ in range(40)]
    ids = [submit(queue, owner) for owner in owners]
    for _ in range(draw.randrange(5)):
        queue.end(queue.claim("w", 1e9), "w", JobState.DONE, {})
    for job_id in draw.sample(ids, 5):
        queue.cancel(job_id)
    waiting = [job_id for job_id in ids if queue.get(job_id).state is JobState.QUEUED]
    told = {job_id: queue.n_before(job_id) for job_id in waiting}
    assert {job_id: place for place, job_id in enumerate(drain(queue))} == told


def test_jobs_of_nobody_in_particular_come_in_the_order_that_they_were_handed_in(queue):
    ids = [submit(queue, None) for _ in range(5)]
    assert drain(queue) == ids
