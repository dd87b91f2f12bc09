"""What a client may ask for, by `?format=` or by `Accept`: the report, alone in several forms, and every output format of `prediction.writers`."""

from collections.abc import Mapping
from typing import NamedTuple

from lesionflow.prediction.documents import DOCUMENTS
from lesionflow.prediction.writers import WRITERS
from lesionflow.serving.problems import RequestRefusedError


class Answer(NamedTuple):
    """One kind of answer.

    Args:
        media_type: Its own.
        accepted: What `Accept` may name to get it.
        file_name: Its file in a result; None: the report alone.
        summary: What it holds.
    """

    media_type: str
    accepted: tuple[str, ...]
    file_name: str | None
    summary: str


JSON = Answer(
    media_type="application/json",
    accepted=("application/json",),
    file_name=None,
    summary="the report; masks of every format are kept and linked under `links.masks`",
)
#: By the name that `?format=` takes; the first is what `*/*` gets.
ANSWERS: Mapping[str, Answer] = {
    "json": JSON,
    **{name: Answer(w.media_type, w.accepted, w.file_name, w.summary) for name, w in WRITERS.items()},
}
#: The same of the report alone: `json`, and what is made of it when somebody asks.
REPORT_ANSWERS: Mapping[str, Answer] = {
    "json": Answer(JSON.media_type, JSON.accepted, None, "the report as it is kept"),
    **{name: Answer(d.media_type, d.accepted, f"report{d.suffix}", d.summary) for name, d in DOCUMENTS.items()},
}


def choose_answer(requested: str | None, accept: str | None, answers: Mapping[str, Answer] = ANSWERS) -> str:
    """Return the name of the answer to give.

    Args:
        requested: The value of `?format=`, which wins.
        accept: The `Accept` header.
        answers: Which there are.

    Returns:
        A key of `answers`.

    Raises:
        RequestRefusedError: 400 `unknown_format`, 406 `not_acceptable`.
    """
    if requested is not None:
        if requested not in answers:
            message = f"Expected ?format= to be one of {', '.join(answers)}, found {requested!r:.40}."
            raise RequestRefusedError(message, status=400, code="unknown_format")
        return requested
    for wanted in _by_preference(accept or "*/*"):
        for name, answer in answers.items():
            if wanted in ("*/*", f"{answer.media_type.split('/')[0]}/*", *answer.accepted):
                return name
    offered = ", ".join(dict.fromkeys(answer.media_type for answer in answers.values()))
    raise RequestRefusedError(f"Expected Accept to name one of {offered}.", status=406, code="not_acceptable")


def _by_preference(accept: str) -> list[str]:
    ranked = []
    for number, item in enumerate(accept.split(",")):
        media_type, *options = (part.strip().lower() for part in item.split(";"))
        quality = next((_quality(option[2:]) for option in options if option.startswith("q=")), 1.0)
        if quality > 0:
            ranked.append((-quality, number, media_type))
    return [media_type for _, _, media_type in sorted(ranked)]


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
