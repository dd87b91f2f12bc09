"""Studies taken in: on disk and in the line before the client is told, linked for each attempt, refused in bounds."""

import asyncio
import types

import pytest
from starlette.datastructures import Headers

from lesionflow.jobs.job_database import open_database
from lesionflow.jobs.queue import JobQueue
from lesionflow.serving.accepted.intake import Intake
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.settings import ServiceSettings

BODY = b'--b\r\nContent-Disposition: form-data; name="study"\r\n\r\nbytes of a study\r\n--b--\r\n'


@pytest.fixture
def queue(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield JobQueue(engine, "q")
    engine.dispose()


def request(chunks=(BODY,), wait=None):
    async def stream():
        for chunk in chunks:
            yield chunk
        if wait is not None:
            await wait.wait()

    return types.SimpleNamespace(headers=Headers({"content-type": "multipart/form-data; boundary=b"}), stream=stream)


def test_an_accepted_study_lies_as_it_was_sent_and_each_attempt_has_its_own_links(queue, tmp_path):
    intake = Intake(tmp_path / "studies", queue, ServiceSettings(model="m"))
    job = asyncio.run(intake.accept(request(), "nifti", 5))
    assert (queue.get(job.id).order["format"], intake.n_taken) == ("nifti", 1)
    for attempt in ("first", "second"):
        folder = tmp_path / attempt
        folder.mkdir()
        (part,) = intake.parts(job, folder)
        assert (part.name, part.path.parent, part.path.read_bytes()) == ("study", folder, b"bytes of a study")
        # What reading does to it there.
        part.path.rename(folder / "renamed")
    intake.drop(job.id)
    assert list((tmp_path / "studies" / "accepted").iterdir()) == []


def test_uploads_that_are_still_received_have_their_place_in_the_line(queue, tmp_path):
    """Forty uploads of two gigabytes were received at once beside a line of five."""
    intake = Intake(tmp_path / "studies", queue, ServiceSettings(model="m"))

    async def scenario():
        gate = asyncio.Event()
        slow = [asyncio.create_task(intake.accept(request((BODY,), gate), "nifti", 2)) for _ in range(2)]
        while intake.n_taken < 2:  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)
        with pytest.raises(RequestRefusedError) as refused:
            await intake.accept(request(), "nifti", 2)
        slow[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow[0]
        gate.set()
        await slow[1]
        return refused.value

    assert asyncio.run(scenario()).code == "overloaded"
    # The one whose client left took its place and its bytes with it.
    assert (intake.n_taken, queue.n_open()) == (1, 1)
    assert list((tmp_path / "studies" / "incoming").iterdir()) == []


def test_a_broken_upload_leaves_nothing(queue, tmp_path):
    intake = Intake(tmp_path / "studies", queue, ServiceSettings(model="m"))
    with pytest.raises(RequestRefusedError, match="closing boundary"):
        asyncio.run(intake.accept(request((BODY[:-20],)), "nifti", 2))
    assert (queue.n_open(), intake.n_taken) == (0, 0)
    assert [path for path in (tmp_path / "studies").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(("seconds", "n_before", "at_once", "expected"), [
    (None, 1, 1, 30), (None, 4, 1, 120), (4.2, 1, 1, 5), (4.2, 10, 2, 21), (0.01, 1, 1, 1), (9999.0, 9, 1, 3600),
])  # fmt: skip
def test_when_to_come_again_follows_how_long_studies_took(tmp_path, seconds, n_before, at_once, expected):
    queue = types.SimpleNamespace(seconds_each=lambda: seconds)
    intake = Intake(tmp_path, queue, ServiceSettings(model="m", max_concurrent=at_once))
    assert intake.retry_after_s(n_before) == expected


def test_uploads_at_once_are_bounded_however_long_the_line_may_be(queue, tmp_path):
    intake = Intake(tmp_path / "studies", queue, ServiceSettings(model="m", max_uploads=2))

    async def scenario():
        gate = asyncio.Event()
        slow = [asyncio.create_task(intake.accept(request((BODY,), gate), "nifti", 1000)) for _ in range(2)]
        while intake.n_taken < 2:  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)
        with pytest.raises(RequestRefusedError) as refused:
            await intake.accept(request(), "nifti", 1000)
        gate.set()
        await asyncio.gather(*slow)
        await intake.accept(request(), "nifti", 1000)
        return refused.value

    refused = asyncio.run(scenario())
    assert (refused.http_status, refused.code, int(refused.headers["Retry-After"]) > 0) == (429, "overloaded", True)
    assert queue.n_open() == 3
