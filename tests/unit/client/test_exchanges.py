"""When a request is sent again, and when not; without a connection and without a clock."""

import httpx
import pytest

from lesionflow.client import exchanges
from lesionflow.client.client_errors import AccessError, BusyError, JobCancelledError, NotDoneError, UnansweredError
from lesionflow.client.exchanges import Ask, Rest, Unanswered
from lesionflow.errors import InputError


def answer(status=200, after=None, **content):
    return httpx.Response(status, json=content, headers={} if after is None else {"Retry-After": after})


def play(talk, *replies):
    """Give a exchange its replies; return what it asked, how long it rested, and what came of it."""
    replies, asked, rested, reply = list(replies), [], [], None
    while True:
        try:
            step = talk.send(reply)
        except StopIteration as end:
            return asked, rested, end.value
        if isinstance(step, Rest):
            rested.append(step.seconds)
            reply = None
        else:
            asked.append(step)
            reply = replies.pop(0)


def ask(patience_s=60.0):
    return exchanges.ask(Ask("GET", "/a"), patience_s)


def test_it_comes_again_when_it_was_told_to():
    asked, rested, value = play(ask(), answer(429, "7"), answer(503, "2"), answer(200, ok=1))
    assert (len(asked), rested, value.json()) == (3, [7.0, 2.0], {"ok": 1})


def test_without_a_word_it_rests_longer_each_time():
    _, rested, _ = play(ask(), answer(502), Unanswered("reset"), answer(504), answer())
    assert rested == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("after", ["soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999"])
def test_a_time_that_is_none_is_not_believed(after):
    assert play(ask(), answer(503, after), answer())[1] == [0.5]


def test_patience_ends():
    with pytest.raises(BusyError) as caught:
        play(
            ask(10.0), answer(429, "8", code="overloaded", detail="d"), answer(429, "3", code="overloaded", detail="d")
        )
    assert caught.value.code == "overloaded"
    with pytest.raises(UnansweredError, match="refused"):
        play(ask(0.6), Unanswered("refused"), Unanswered("refused"))


@pytest.mark.parametrize(("status", "kind"), [(401, AccessError), (422, InputError)])
def test_what_does_not_pass_is_raised_at_once(status, kind):
    with pytest.raises(kind):
        play(ask(), answer(status, "5", code="c", detail="d"))


def test_a_study_sent_again_has_one_key():
    job = {"id": "a", "state": "queued", "created": "t"}
    asked, _, made = play(
        exchanges.submit({}, "nifti", None, None, 60), Unanswered("reset"), answer(503, "1"), answer(202, **job)
    )
    keys = {request.headers["Idempotency-Key"] for request in asked}
    assert (len(asked), len(keys), made.id) == (3, 1, "a")
    others, _, _ = play(exchanges.submit({}, "nifti", None, None, 60), answer(202, **job))
    assert others[0].headers["Idempotency-Key"] not in keys
    own, _, _ = play(exchanges.submit({}, "nifti", "unet/7", "mine", 60), answer(202, **job))
    assert own[0].headers["Idempotency-Key"] == "mine"
    assert (dict(others[0].params), dict(own[0].params)) == (
        {"format": "nifti"},
        {"format": "nifti", "model": "unet/7"},
    )


def job(state, **more):
    return answer(200, id="a", state=state, created="t", **more)


def test_a_job_is_waited_for_in_turns():
    asked, _, made = play(exchanges.wait("a", 50, 60), job("queued"), job("running"), job("done"))
    assert [request.params["wait"] for request in asked] == ["20.000", "20.000", "10.000"]
    assert made.state == "done"
    with pytest.raises(NotDoneError, match="running"):
        play(exchanges.wait("a", 25, 60), job("queued"), job("running"))


def test_a_job_that_failed_raises_why():
    error = {"status": 422, "code": "missing_slice", "detail": "d"}
    with pytest.raises(InputError) as caught:
        play(exchanges.wait("a", 9, 60), job("failed", error=error))
    assert caught.value.reason == "missing_slice"
    with pytest.raises(JobCancelledError):
        play(exchanges.wait("a", 9, 60), job("cancelled"))


def test_lists_are_fetched_to_their_end():
    def page(ids, *, more):
        jobs = [{"id": one, "state": "done", "created": "t"} for one in ids]
        return answer(200, jobs=jobs, **({"links": {"next": "https://evil.example/"}} if more else {}))

    asked, _, found = play(exchanges.jobs_told(60), page("ab", more=True), page("c", more=False))
    assert [one.id for one in found] == ["a", "b", "c"]
    # What the service names as the next page is not followed: the key goes to its address alone.
    assert [(request.path, request.params.get("before")) for request in asked] == [
        ("/v1/jobs", None),
        ("/v1/jobs", "b"),
    ]


def test_a_masks_warnings_are_read():
    headers = [("content-type", "image/png"), ("content-disposition", 'attachment; filename="overlay.png"')]
    headers += [("x-lesionflow-warning", "a %C3%A4"), ("x-lesionflow-warning", "b"), ("x-lesionflow-model", "m%20m/1")]
    _, _, mask = play(exchanges.fetch_mask("a", "png", 60), httpx.Response(200, content=b"x", headers=headers))
    assert (mask.content, mask.file_name, mask.model, mask.warnings) == (b"x", "overlay.png", "m m/1", ("a ä", "b"))
