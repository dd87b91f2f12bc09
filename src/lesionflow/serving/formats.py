"""What a client may ask for, by `?format=` or by `Accept`."""

from typing import NamedTuple

from lesionflow.serving.problems import RequestRefusedError


class Answer(NamedTuple):
    """One kind of answer: its media type, its aliases, and its file name in a result (None: the report alone)."""

    media_type: str
    aliases: tuple[str, ...]
    file_name: str | None


#: By the name that `?format=` takes; the first is what `*/*` gets.
ANSWERS = {
    "json": Answer("application/json", (), None),
    "dicom-seg": Answer("application/dicom", (), "mask.dcm"),
    "nifti": Answer("application/gzip", ("application/x-nifti", "application/x-gzip"), "mask.nii.gz"),
    "png": Answer("image/png", (), "overlay.png"),
}


def choose(requested: str | None, accept: str | None) -> str:
    """Return the name of the answer to give.

    Args:
        requested: The value of `?format=`, which wins.
        accept: The `Accept` header.

    Returns:
        A key of `ANSWERS`.

    Raises:
        RequestRefusedError: 400 `unknown_format`, 406 `not_acceptable`.
    """
    if requested is not None:
        if requested not in ANSWERS:
            message = f"Expected ?format= to be one of {', '.join(ANSWERS)}, found {requested!r:.40}."
            raise RequestRefusedError(message, status=400, code="unknown_format")
        return requested
    for wanted in _by_preference(accept or "*/*"):
        for name, answer in ANSWERS.items():
            if (
                wanted in ("*/*", answer.media_type, *answer.aliases)
                or wanted == f"{answer.media_type.split('/')[0]}/*"
            ):
                return name
    offered = ", ".join(answer.media_type for answer in ANSWERS.values())
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
