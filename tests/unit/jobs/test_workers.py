"""Threads that work on jobs: each ends once, a stop loses none, a killed process's jobs are done by the next."""

import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from lesionflow.errors import ServiceError
from lesionflow.jobs.job import JobState
from lesionflow.jobs.job_database import open_database
from lesionflow.jobs.queue import JobQueue
from lesionflow.jobs.workers import JobEnd, Workers

DONE = JobEnd(JobState.DONE, {})


@pytest.fixture
def queue(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield JobQueue(engine, "q")
    engine.dispose()


def submit(queue, number=0):
    return queue.submit({"number": number}, f"{number:064d}").job.id


def until(holds, seconds=20.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.01)


def run(queue, work, **settings):
    ended = []
    workers = Workers(
        queue, work, **{"ended": ended.append, "n": 1, "may_begin": lambda: True, "lease_s": 60.0, **settings}
    )
    workers.start()
    return workers, ended


def test_each_job_is_worked_on_once_and_told_when_it_ended(queue):
    seen = []
    ids = [submit(queue, number) for number in range(5)]
    workers, ended = run(queue, lambda job, _: seen.append(job.order["number"]) or DONE, n=2)
    late = submit(queue, 5)
    workers.wake()
    until(lambda: len(ended) == 6)
    workers.stop(5)
    assert sorted(seen) == [0, 1, 2, 3, 4, 5]
    assert sorted(ended) == sorted([*ids, late])
    assert {queue.get(job_id).state for job_id in ended} == {JobState.DONE}


def test_what_work_raises_fails_that_job_alone(queue):
    bad, good = submit(queue, 1), submit(queue, 0)
    workers, ended = run(queue, lambda job, _: 1 / (1 - job.order["number"]) and DONE)
    until(lambda: len(ended) == 2)
    workers.stop(5)
    assert (queue.get(bad).state, queue.get(bad).outcome["error"]["code"]) == (JobState.FAILED, "internal_error")
    assert queue.get(good).state is JobState.DONE


def test_nothing_is_begun_before_it_may_be(queue):
    ready, seen = threading.Event(), []
    submit(queue)
    workers, ended = run(queue, lambda job, _: seen.append(job.id) or DONE, may_begin=ready.is_set)
    time.sleep(0.1)
    assert seen == []
    ready.set()
    workers.wake()
    until(lambda: ended)
    workers.stop(5)


def test_work_longer_than_its_lease_stays_with_its_worker(queue):
    gate = threading.Event()
    job_id = submit(queue)
    workers, ended = run(queue, lambda *_: gate.wait(20) and DONE, lease_s=0.3)
    until(lambda: queue.get(job_id).state is JobState.RUNNING)
    time.sleep(0.7)
    assert queue.claim("another", 60) is None
    gate.set()
    until(lambda: ended)
    workers.stop(5)
    assert (queue.get(job_id).state, queue.get(job_id).attempt) == (JobState.DONE, 1)


def test_a_cancelled_job_gives_no_result(queue):
    begun, gate = threading.Event(), threading.Event()
    job_id = submit(queue)
    workers, ended = run(queue, lambda *_: (begun.set(), gate.wait(20)) and DONE)
    assert begun.wait(20)
    queue.cancel(job_id)
    gate.set()
    until(lambda: ended)
    workers.stop(5)
    assert queue.get(job_id).state is JobState.CANCELLED


def test_work_on_a_job_that_is_cancelled_is_told_soon(queue):
    begun, halted = threading.Event(), []
    job_id = submit(queue)

    def work(_, halt):
        begun.set()
        halted.append(halt.wait(20))
        return JobEnd(JobState.CANCELLED, {})

    workers, ended = run(queue, work)
    assert begun.wait(20)
    queue.cancel(job_id)
    until(lambda: ended)
    workers.stop(5)
    assert (halted, queue.get(job_id).state) == ([True], JobState.CANCELLED)


def test_work_on_a_job_that_is_anothers_by_now_is_told(queue):
    """As where this process was stopped for longer than its lease, and goes on."""
    begun, halted = threading.Event(), []
    job_id = submit(queue)

    def work(_, halt):
        begun.set()
        halted.append(halt.wait(20))
        return DONE

    workers, ended = run(queue, work, lease_s=0.9)
    assert begun.wait(20)
    with queue._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET lease_until_ms = 0")
    taken = queue.claim("another", 60.0)
    until(lambda: ended)
    workers.stop(5)
    assert halted == [True]
    assert (taken.attempt, queue.get(job_id).state) == (2, JobState.RUNNING)


def test_a_stop_lets_work_end_within_its_time_and_gives_back_what_does_not(queue):
    gate = threading.Event()
    quick, slow = submit(queue, 0), submit(queue, 1)
    workers, ended = run(
        queue, lambda job, _: ((gate.wait(20) if job.order["number"] else time.sleep(0.2)) and None) or DONE, n=2
    )
    until(lambda: len(workers._held) == 2)
    workers.stop(1.0)
    assert ended == [quick]
    assert [queue.get(job_id).state for job_id in (quick, slow)] == [JobState.DONE, JobState.QUEUED]
    taken = queue.claim("next service", 60)
    gate.set()
    time.sleep(0.1)
    # The thread that was given up says nothing of it any more.
    assert (taken.id, queue.get(slow).state) == (slow, JobState.RUNNING)


def test_a_database_that_is_away_for_a_while_costs_no_job(queue, monkeypatch):
    job_id, n_failures = submit(queue), [0]
    end = queue.end

    def away(*arguments):
        n_failures[0] += 1
        if n_failures[0] < 3:
            raise ServiceError("Expected the database of jobs to answer.")
        return end(*arguments)

    monkeypatch.setattr(queue, "end", away)
    monkeypatch.setattr("lesionflow.jobs.workers.IDLE_S", 0.02)
    workers, ended = run(queue, lambda *_: DONE)
    until(lambda: ended)
    workers.stop(5)
    assert (queue.get(job_id).state, n_failures[0]) == (JobState.DONE, 3)


def test_jobs_of_a_process_killed_in_the_midst_are_done_by_the_next_and_none_is_done_twice(queue, tmp_path):
    ids = [submit(queue, number) for number in range(6)]
    program = textwrap.dedent(f"""
        import time
        from lesionflow.jobs.job_database import open_database
        from lesionflow.jobs.job import JobState
        from lesionflow.jobs.queue import JobQueue
        from lesionflow.jobs.workers import JobEnd, Workers
        def work(job, halt):
            if job.order["number"] == 2:
                print("in the midst", flush=True)
                time.sleep(60)
            return JobEnd(JobState.DONE, {{"by": "killed"}})
        queue = JobQueue(open_database("sqlite:///{tmp_path / "jobs.db"}"), "q")
        Workers(queue, work, ended=lambda _: None, n=1, may_begin=lambda: True, lease_s=0.5).start()
        time.sleep(60)
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "in the midst\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    workers, ended = run(queue, lambda *_: JobEnd(JobState.DONE, {"by": "next"}), lease_s=0.5)
    until(lambda: len(ended) == 4)
    workers.stop(5)
    jobs = [queue.get(job_id) for job_id in ids]
    assert [(job.state, job.outcome["by"]) for job in jobs] == [
        (JobState.DONE, by) for by in ("killed", "killed", "next", "next", "next", "next")
    ]
    assert [job.attempt for job in jobs] == [1, 1, 2, 1, 1, 1]
