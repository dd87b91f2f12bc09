"""Images that lie beside a whole case, are named after it, and are none of its channels: a bias field, a series in time."""

from collections.abc import Iterable

from lesionflow.io.layouts.modalities import is_known
from lesionflow.io.layouts.pairs.pairing import Pair
from lesionflow.io.layouts.pairs.role_words import texts
from lesionflow.io.layouts.patient_in_name import is_mark

#: The whole series of which a case is one frame (ACDC: `patient001_4d` beside `patient001_frame01`).
SERIES = "4d"


def without_extras(pairs: Iterable[Pair]) -> list[Pair]:
    """Take images out that are named after a whole case and have no mask of their own.

    What a name adds must be a word that speaks of no other examination: `P1_2` and `P1_FU1` stay, as cases without an outline.

    Args:
        pairs: Of one folder; masks among the images are told already.

    Returns:
        The pairs; a whole case has the others' files as `extra`.
    """
    found = list(pairs)
    whole = {_words(pair): pair for pair in found if pair.images and pair.masks and not pair.fault}
    frames = {words[:-1]: pair for words, pair in reversed(whole.items())}
    kept = []
    for pair in found:
        case = _case_of(pair, whole, frames) if pair.images and not pair.masks and not pair.fault else None
        if case:
            case.extra += pair.files
        else:
            kept.append(pair)
    return kept


def _case_of(pair: Pair, whole: dict[tuple[str, ...], Pair], frames: dict[tuple[str, ...], Pair]) -> Pair | None:
    own = _words(pair)
    if own[-1] == SERIES:
        return whole.get(own[:-1]) or frames.get(own[:-1])
    for length in range(len(own) - 1, 1, -1):
        if case := whole.get(own[:length]):
            return case if is_known(own[length]) or not is_mark(own[length]) else None
    return None


def _words(pair: Pair) -> tuple[str, ...]:
    folder, _, name = pair.key.rpartition("/")
    return (folder, *texts(name))
