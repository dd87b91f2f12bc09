"""Which of the masks of an image are its outline, and of what: by their names, as `ingest.outlines` says."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from lesionflow.errors import InputError
from lesionflow.io.labels import tell_united
from lesionflow.io.layouts.pairs.pairing import Pair
from lesionflow.io.layouts.pairs.role_words import AUXILIARY, HINTS, says_mask, structure, texts, unmasked
from lesionflow.io.notes import note
from lesionflow.io.rules import ReadingRules

#: (channel that it was drawn on or "", name of its file without the ending, file)
MaskFile = tuple[str, str, Path]


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
    return dict.fromkeys((path for _, _, path in masks), label)


def label_by_own_name(found: Pair, stem: str, rules: ReadingRules) -> int | None:
    """Return the label that the name of an image's only mask says beyond the image's own; None where it says none.

    Args:
        found: What belongs together.
        stem: The mask's file name without its ending.
        rules: Labels and outlines.
    """
    own = unmasked(_beyond_image(found, texts(stem)))
    return rules.named("_".join(own)) if own else None


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
