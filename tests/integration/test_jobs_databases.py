"""The line of jobs on PostgreSQL and MariaDB as on SQLite: nothing done twice, nothing lost, whoever comes at once.

With LESIONFLOW_TEST_WHOLE=1, where the servers' programs and drivers are installed.
"""

import os
import threading
import time
from importlib.util import find_spec

import pytest

from lesionflow.errors import ServiceError
from lesionflow.jobs.job import JobState
from lesionflow.jobs.job_database import open_database
from lesionflow.jobs.queue import JobQueue
from support.servers import PASSWORD, WRITTEN, mariadb, postgresql

SERVERS = {"postgresql": (postgresql, "psycopg"), "mariadb": (mariadb, "pymysql")}
N_JOBS, N_WORKERS = 60, 8
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        os.environ.get("LESIONFLOW_TEST_WHOLE") != "1", reason="servers are started in the whole run alone"
    ),
]


@pytest.fixture(scope="module", params=SERVERS)
def url(request, tmp_path_factory):
    serve, module = SERVERS[request.param]
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    with serve(tmp_path_factory.mktemp(request.param)) as served:
        yield served


@pytest.fixture
def queue(url, request):
    engine = open_database(url)
    yield JobQueue(engine, request.node.name)
    engine.dispose()


def at_once(work, n=N_WORKERS):
    results, threads = [], [threading.Thread(target=lambda i=i: results.append(work(i))) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == n, "a thread failed"
    return results


def test_many_workers_at_once_share_the_jobs_without_doing_one_twice(queue):
    expected = [queue.submit({"number": number}, f"{number:064d}").job.id for number in range(N_JOBS)]

    def work(number):
        mine = []
        while (job := queue.claim(f"w{number}", 60.0)) is not None:
            assert queue.end(job, f"w{number}", JobState.DONE, {"by": number})
            mine.append(job.id)
        return mine

    done = [job_id for mine in at_once(work) for job_id in mine]
    assert sorted(done) == sorted(expected)
    assert {queue.get(job_id).attempt for job_id in expected} == {1}


def test_one_key_handed_in_many_times_at_once_is_one_job(queue):
    made = at_once(lambda _: queue.submit({}, "0" * 64, idempotency_key="k"))
    assert len({submission.job.id for submission in made}) == 1
    assert sum(submission.is_new for submission in made) == 1
    assert queue.n_open() == 1


def test_of_many_that_find_a_dead_workers_job_one_gets_it(queue):
    job = queue.submit({}, "0" * 64).job
    dead = queue.claim("dead", -1.0)
    taken = [claimed for claimed in at_once(lambda number: queue.claim(f"w{number}", 60.0)) if claimed]
    assert [(claimed.id, claimed.attempt) for claimed in taken] == [(job.id, 2)]
    assert not queue.end(dead, "dead", JobState.DONE, {})


def test_an_order_of_twenty_thousand_files_is_kept_whole(queue):
    order = {"parts": [["study", f"part-{number:06d}"] for number in range(20_000)]}
    assert queue.get(queue.submit(order, "0" * 64).job.id).order == order


def test_the_line_and_its_figures_are_those_of_sqlite(queue):
    ids = [queue.submit({}, f"{number:064d}").job.id for number in range(3)]
    assert [queue.n_before(job_id) for job_id in ids] == [0, 1, 2]
    queue.end(queue.claim("a", 60.0), "a", JobState.DONE, {})
    assert queue.cancel(ids[1]).state is JobState.CANCELLED
    assert 0 <= queue.seconds_each() < 10
    assert sorted(queue.ended_before(1 << 60)) == sorted(ids[:2])
    assert [queue.erase(job_id) for job_id in ids] == [True, True, False]
    assert queue.n_open() == 1


def test_owners_come_in_turn(queue):
    many = [queue.submit({}, f"{number:064d}", owner="ward").job.id for number in range(5)]
    one, nobodys = (queue.submit({}, "1" * 64, owner=owner).job.id for owner in ("clinic", None))
    assert [queue.n_before(job_id) for job_id in (*many[:3], one, nobodys)] == [0, 3, 4, 1, 2]
    begun = []
    while (job := queue.claim("w", 60.0)) is not None:
        begun.append(job.id)
        queue.end(job, "w", JobState.DONE, {})
        # Whose turn it is goes by the millisecond.
        time.sleep(0.002)
    assert begun == [many[0], one, nobodys, *many[1:]]


def test_a_wrong_password_is_told_without_it_or_the_right_one(url):
    with pytest.raises(ServiceError, match="none that answers") as error:
        open_database(url.replace(WRITTEN, "wrong-hush"))
    assert not any(word in str(error.value) for word in ("wrong-hush", WRITTEN, PASSWORD))
