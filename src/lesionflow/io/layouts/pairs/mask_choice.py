"""Which of the masks of an image are its outline, and of what: by their names, as `ingest.outlines` says."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from lesionflow.errors import InputError
from lesionflow.io.labels import tell_united
from lesionflow.io.layouts.pairs.pairing import Pair
from lesionflow.io.layouts.pairs.role_words import AUXILIARY, HINTS, says_mask, skeleton, structure, texts, unmasked
from lesionflow.io.notes import note
from lesionflow.io.rules import ReadingRules

#: (channel that it was drawn on or "", name of its file without the ending, file)
MaskFile = tuple[str, str, Path]
#: What a name says of which form of an outline a mask is: `v2`, `rev 3`, `reader1`, `2021-01-31`.
FORM = re.compile(
    r"\b(?:v|ver|version|rev|revision|reader|rater|annotator|observer|expert|radiologist|physician) ?\d+\b"
    r"|\b(?:19|20)\d\d ?(?:0[1-9]|1[0-2]) ?(?:0[1-9]|[12]\d|3[01])\b"
)


def without_auxiliary(found: Pair, rules: ReadingRules, *, name: str) -> list[MaskFile]:
    """Return the masks without those of brain, body or field of view, which no lesion is, unless the rules speak of these.

    Args:
        found: What belongs together.
        rules: Labels and outlines.
        name: What to call the case in messages.

    Returns:
        The masks that may be meant.
    """
    kept = [mask for mask in found.masks if not _is_auxiliary(mask[1], rules)]
    if len(kept) < len(found.masks):
        note(
            "auxiliary_mask",
            f"Left out {len(found.masks) - len(kept)} masks of brain, body or field of view of {name}, which outline no lesion. "
            "Name one in ingest.outlines if it is meant.",
        )
    return kept


def labels_by_name(found: Pair, masks: Sequence[MaskFile], rules: ReadingRules, *, name: str) -> dict[Path, int]:
    """Say what each of several masks outlines: by `ingest.outlines`, or the only label where their names tell no structures apart.

    Args:
        found: What belongs together.
        masks: Its masks.
        rules: Labels and outlines.
        name: What to call the case in messages.

    Returns:
        The label of each mask that is meant.

    Raises:
        InputError: `ambiguous_outlines` where the names say of several things, and no rule which is meant.
    """
    named = {path: label for _, stem, path in masks if (label := _label(found, stem, path, rules)) is not None}
    if named:
        left = sorted({_said(found, stem, path) for _, stem, path in masks if path not in named})
        if left:
            note(
                "dropped_structure",
                f"Left out masks of {name} that no rule of ingest.outlines names: {', '.join(left)}.",
            )
        # Several of one name are its instances.
        _require_one_form(found, [mask for mask in masks if mask[2] in named], named, name)
        tell_united({(_said(found, stem, path), named[path]) for _, stem, path in masks if path in named}, name)
        return named
    said = {_said(found, stem, path) for _, stem, path in masks}
    if len(rules.labels) != 1 or len(said) > 1:
        names = ", ".join(sorted(said)[:8])
        raise InputError(
            f"Expected masks whose names ingest.outlines gives a label in {name}, found {len(masks)}: {names}. Add rules.",
            reason="ambiguous_outlines",
        )
    (label,) = rules.labels.values()
    only = dict.fromkeys((path for _, _, path in masks), label)
    _require_one_form(found, masks, only, name)
    return only


def in_two_forms(found: Pair, masks: Sequence[MaskFile]) -> Iterator[tuple[Path, Path]]:
    """Yield masks two by two that are one by their names: in two formats of one folder, or in two folders that say one thing.

    Args:
        found: What belongs together.
        masks: Its masks.

    Yields:
        Two files; where their voxels differ, one of them is an older form. Folders that differ by a number hold instances.
    """
    called: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for _, stem, path in masks:
        called[stem.casefold(), _said(found, stem, path)].append(path)
    for paths in called.values():
        for one, other in combinations(paths, 2):
            apart = skeleton(one.parent.name) != skeleton(other.parent.name)
            if one.parent == other.parent or (apart and _tells(one.parent.name) and _tells(other.parent.name)):
                yield one, other


def label_by_own_name(found: Pair, stem: str, rules: ReadingRules) -> int | None:
    """Return the label that the name of an image's only mask says beyond the image's own; None where it says none.

    Args:
        found: What belongs together.
        stem: The mask's file name without its ending.
        rules: Labels and outlines.
    """
    own = unmasked(_beyond_image(found, texts(stem)))
    return rules.named("_".join(own)) if own else None


def _require_one_form(found: Pair, masks: Sequence[MaskFile], labels: Mapping[Path, int], name: str) -> None:
    """Refuse masks of one thing whose names differ by a version, a date or a reader: another form is none of its instances."""
    forms: dict[tuple[int, str], set[tuple[str, ...]]] = defaultdict(set)
    for _, stem, path in masks:
        folder = texts(path.parent.name) if _tells(path.parent.name) else ()
        forms[labels[path], _said(found, stem, path)].add(tuple(FORM.findall(" ".join((*folder, *texts(stem))))))
    if any(len(told) > 1 for told in forms.values()):
        raise InputError(
            f"Expected one outline of a lesion in {name}, found masks whose names say of several versions, dates or readers. "
            "Keep the one to learn from, or number the parts of one outline: `_mask_1`, `_mask_2`.",
            reason="ambiguous_outlines",
        )


def _is_auxiliary(stem: str, rules: ReadingRules) -> bool:
    spoken = {word for label in rules.labels for word in texts(label)}
    said = set(structure(texts(stem))) & AUXILIARY
    return bool(said) and not said & spoken and rules.label_of(stem) is None


def _label(found: Pair, stem: str, path: Path, rules: ReadingRules) -> int | None:
    """Return a mask's label by its file's name, by what that says beyond the image's, or by its folder's."""
    own = _beyond_image(found, texts(stem))
    said = (stem, *(sign.join(of) for of in (own, unmasked(own)) for sign in "_ -" if of), path.parent.name)
    return next((label for text in said if (label := rules.label_of(text)) is not None), None)


def _said(found: Pair, stem: str, path: Path) -> str:
    """Return what the names of a mask say it outlines, without the image's own words: nobody is named by it."""
    folder = path.parent.name if _tells(path.parent.name) else ""
    return " ".join(structure(_beyond_image(found, (*texts(folder), *texts(stem))))) or "without a name"


def _tells(folder: str) -> bool:
    return says_mask(texts(folder)) or bool(HINTS & set(texts(folder)))


def _beyond_image(found: Pair, of: Iterable[str]) -> tuple[str, ...]:
    own = {word for path in found.images.values() for part in path.parts[-2:] for word in texts(part)}
    return tuple(word for word in of if word not in own)
