"""Children shared by studies: one each, another in place of one that died, none left at the end."""

import threading
import time

import pytest

from lesionflow.errors import ArtifactError
from lesionflow.serving.children import pool as pool_module
from lesionflow.serving.children.failures import DeadlineError
from lesionflow.serving.children.model_process import Terms
from lesionflow.serving.children.pool import Pool


class Process:
    """Stands in for a child."""

    def __init__(self):
        self.is_alive = True

    def kill(self):
        self.is_alive = False


@pytest.fixture
def made():
    return []


@pytest.fixture
def pool(made):
    def make():
        made.append(Process())
        return made[-1]

    opened = Pool(make, [make()])
    yield opened
    opened.close()


def until(holds):
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_process_is_one_studys_at_a_time(pool, made):
    with pool.one(Terms()) as process:
        assert process is made[0]
        with pytest.raises(DeadlineError), pool.one(Terms(until=time.monotonic() + 0.2)):
            pass
    with pool.one(Terms()) as again:
        assert again is process
    assert (len(made), pool.n_alive) == (1, 1)


def test_one_that_died_of_a_study_is_replaced(pool, made):
    def die():
        with pool.one(Terms()) as process:
            process.kill()
            raise RuntimeError("as it dies")

    with pytest.raises(RuntimeError):
        die()
    with pool.one(Terms()) as other:
        assert other is made[1]
    assert pool.n_alive == 1


def test_one_that_died_while_it_waited_fails_no_study(pool, made):
    made[0].kill()
    assert pool.n_alive == 0
    with pool.one(Terms()) as other:
        assert other is made[1]


def test_one_that_died_while_nobody_asked_is_replaced_before_anybody_does(pool, made):
    """Else a service that says it is not ready would not be asked, and so never be ready."""
    made[0].kill()
    until(lambda: pool.n_alive == 1)
    assert len(made) == 2


def test_one_that_can_not_be_started_is_tried_again(monkeypatch):
    monkeypatch.setattr(pool_module, "RETRY_S", 0.02)
    tries, troubles = [], []

    def make():
        tries.append(1)
        if len(tries) < 3:
            raise ArtifactError("not yet")
        troubles.append(pool.trouble)
        return Process()

    dead = Process()
    pool = Pool(make, [dead])
    dead.kill()
    with pool.one(Terms()) as process:
        assert process.is_alive
    assert (len(tries), troubles, pool.trouble) == (3, ["an artifact error"], "")
    pool.close()


def test_a_closed_pool_ends_all_also_what_comes_late(made):
    gate = threading.Event()
    late = Process()

    def make():
        assert gate.wait(20)
        return late

    first = Process()
    pool = Pool(make, [first])
    with pool.one(Terms()) as process:
        process.kill()
    pool.close()
    gate.set()
    until(lambda: not late.is_alive)
    assert pool.n_alive == 0
