"""Each job is done by one worker, ends once, and survives whoever worked on it; against a plain count of what was done."""

import threading
import time

import pytest

from lesionflow.errors import ServiceError
from lesionflow.jobs.job import JobState
from lesionflow.jobs.job_database import open_database
from lesionflow.jobs.queue import MAX_ATTEMPTS, JobQueue

LONG, OVER = 60.0, -1.0


@pytest.fixture
def database(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def queue(database):
    return JobQueue(database, "lungs/champion")


def submit(queue, number=0, **more):
    return queue.submit({"number": number}, f"{number:064d}", **more).job


def test_jobs_are_claimed_in_the_order_that_they_came_in_and_only_once(queue):
    ids = [submit(queue, number).id for number in range(3)]
    claimed = [queue.claim("a", LONG), queue.claim("b", LONG), queue.claim("a", LONG)]
    assert [job.id for job in claimed] == ids
    assert [job.order["number"] for job in claimed] == [0, 1, 2]
    assert {(job.state, job.attempt) for job in claimed} == {(JobState.RUNNING, 1)}
    assert queue.claim("b", LONG) is None


def test_many_workers_at_once_share_the_jobs_without_doing_one_twice(queue):
    n_jobs, n_workers = 60, 6
    expected = {submit(queue, number).id for number in range(n_jobs)}
    done, lock = [], threading.Lock()

    def work(name):
        while (job := queue.claim(name, LONG)) is not None:
            assert queue.end(job, name, JobState.DONE, {"by": name})
            with lock:
                done.append(job.id)

    threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(n_workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted(expected)
    assert {queue.get(job_id).state for job_id in expected} == {JobState.DONE}
    assert queue.n_open() == 0


def test_a_job_whose_worker_fell_silent_is_anothers_and_the_silent_one_can_not_end_it(queue):
    submit(queue)
    silent = queue.claim("a", OVER)
    taken = queue.claim("b", LONG)
    assert (taken.id, taken.attempt) == (silent.id, 2)
    assert not queue.renew(silent, "a", LONG)
    assert not queue.end(silent, "a", JobState.FAILED, {})
    assert queue.end(taken, "b", JobState.DONE, {})
    assert not queue.end(taken, "b", JobState.FAILED, {})
    assert queue.get(silent.id).state is JobState.DONE


def test_the_same_worker_that_claimed_anew_can_not_end_what_it_began_before(queue):
    submit(queue)
    first = queue.claim("a", OVER)
    second = queue.claim("a", LONG)
    assert not queue.end(first, "a", JobState.DONE, {})
    assert queue.end(second, "a", JobState.DONE, {})


def test_a_renewed_job_stays_with_its_worker(queue):
    submit(queue)
    job = queue.claim("a", OVER)
    assert queue.renew(job, "a", LONG)
    assert queue.claim("b", LONG) is None


def test_a_job_that_kills_its_workers_is_not_begun_for_ever(queue):
    job = submit(queue)
    following = submit(queue, 1)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        claimed = queue.claim("a", OVER)
        assert (claimed.id, claimed.attempt) == (job.id, attempt)
    assert queue.claim("a", LONG).id == following.id
    failed = queue.get(job.id)
    assert (failed.state, failed.outcome["error"]["code"]) == (JobState.FAILED, "worker_died")


def test_a_job_given_back_keeps_its_place_and_costs_no_attempt(queue):
    first, second = submit(queue), submit(queue, 1)
    for _ in range(MAX_ATTEMPTS + 1):
        assert queue.give_back(queue.claim("a", LONG), "a")
    assert [queue.claim("b", LONG).id for _ in range(2)] == [first.id, second.id]


def test_one_key_is_one_job_and_another_study_under_it_is_told(queue, database):
    made = queue.submit({"number": 1}, "1" * 64, idempotency_key="k")
    again = queue.submit({"number": 1}, "1" * 64, idempotency_key="k")
    other = queue.submit({"number": 2}, "2" * 64, idempotency_key="k")
    assert [(s.job.id == made.job.id, s.is_new, s.same_request) for s in (made, again, other)] == [
        (True, True, True), (True, False, True), (True, False, False)
    ]  # fmt: skip
    assert queue.n_open() == 1
    # Keys are each service's own.
    assert JobQueue(database, "liver/champion").submit({}, "3" * 64, idempotency_key="k").is_new


def test_without_a_key_the_same_study_is_another_job(queue):
    assert submit(queue).id != submit(queue).id


def test_an_id_that_stands_is_not_overwritten(queue):
    submit(queue, job_id="a" * 32)
    with pytest.raises(Exception, match=r"(?i)unique|integrity"):
        submit(queue, 1, job_id="a" * 32)


def test_a_waiting_job_is_cancelled_at_once_and_never_begun(queue):
    job = submit(queue)
    assert queue.cancel(job.id).state is JobState.CANCELLED
    assert queue.claim("a", LONG) is None
    assert queue.cancel("0" * 32) is None


def test_of_a_running_job_the_worker_is_told_and_an_ended_one_stays(queue):
    job = submit(queue)
    claimed = queue.claim("a", LONG)
    told = queue.cancel(job.id)
    assert (told.state, told.cancel_requested) == (JobState.RUNNING, True)
    assert queue.end(claimed, "a", JobState.DONE, {})
    assert queue.cancel(job.id).state is JobState.DONE


def test_a_cancelled_job_whose_worker_died_is_not_begun_again(queue):
    job = submit(queue)
    queue.claim("a", OVER)
    queue.cancel(job.id)
    assert queue.claim("b", LONG) is None
    assert queue.get(job.id).state is JobState.CANCELLED


def test_places_in_the_line_and_how_long_one_takes(queue):
    ids = [submit(queue, number).id for number in range(4)]
    assert [queue.n_before(job_id) for job_id in ids] == [0, 1, 2, 3]
    assert queue.seconds_each() is None
    job = queue.claim("a", LONG)
    time.sleep(0.05)
    queue.end(job, "a", JobState.DONE, {})
    assert queue.n_before(ids[3]) == 2
    assert 0.05 <= queue.seconds_each() < 10


def test_queues_of_one_database_do_not_see_one_another(queue, database):
    job = submit(queue)
    other = JobQueue(database, "liver/champion")
    assert (other.claim("a", LONG), other.get(job.id), other.n_open(), other.cancel(job.id)) == (None, None, 0, None)


def test_a_job_is_begun_by_who_has_its_model_and_waits_behind_jobs_of_that_model_alone(queue):
    main = [submit(queue, number).id for number in range(2)]
    other = [submit(queue, number, model="unetpp").id for number in (2, 3)]
    assert [queue.n_before(job_id) for job_id in (*main, *other)] == [0, 1, 0, 1]
    assert queue.claim("a", LONG, "vnet") is None
    assert [queue.claim("a", LONG, "unetpp").id, queue.claim("b", LONG).id] == [other[0], main[0]]
    assert [queue.n_before(main[1]), queue.n_before(other[1])] == [1, 1]
    assert queue.claim("c", LONG, "unetpp").id == other[1]
    assert queue.claim("c", LONG, "unetpp") is None


def test_a_cancelled_job_of_a_model_that_nobody_serves_any_more_ends(queue):
    job = submit(queue, model="unetpp")
    queue.claim("dead", OVER, "unetpp")
    assert queue.cancel(job.id).state is JobState.RUNNING
    assert queue.claim("a", LONG) is None
    assert queue.get(job.id).state is JobState.CANCELLED


def test_old_ended_jobs_are_told_and_erased_and_open_ones_are_not(queue):
    ended, waiting = submit(queue), submit(queue, 1)
    queue.end(queue.claim("a", LONG), "a", JobState.DONE, {})
    assert queue.ended_before(0) == []
    assert queue.ended_before(time.time_ns() // 1_000_000 + 1) == [ended.id]
    assert [queue.erase(job.id) for job in (ended, waiting, ended)] == [True, False, False]
    assert (queue.get(ended.id), queue.get(waiting.id).state) == (None, JobState.QUEUED)


def test_a_database_that_fails_is_named_without_its_url(queue, database):
    with database.begin() as connection:
        connection.exec_driver_sql("DROP TABLE jobs")
    with pytest.raises(ServiceError, match="database of jobs"):
        queue.n_open()
    with pytest.raises(ServiceError, match="database of jobs"):
        submit(queue)
