"""From what a mask holds - numbers that somebody gave a meaning, or one structure a mask - to the labels of the rules."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.dataset import IGNORE
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import IGNORED, Mask
from lesionflow.errors import InputError
from lesionflow.io import spelling
from lesionflow.io.notes import note, took
from lesionflow.io.regions import label_of_values, narrowest
from lesionflow.io.rules import ReadingRules

#: A label, and the voxels that have it.
LabelPart = tuple[int, NDArray[np.bool_]]
#: The note of a case that is not known as a whole.
IGNORED_VOXELS = "ignored_voxels"
#: What programs write for "inside" when there is one structure alone.
INSIDE = (1, 255)
#: Share of all voxels: no lesion is this large in its image, and the outside of one is.
NEARLY_FULL = 0.9


def translate(
    mask: Mask,
    declared: Mapping[str, Sequence[int]],
    rules: ReadingRules,
    *,
    name: str,
    apart: Collection[str] = (),
) -> Mask:
    """Bring label values that a dataset names to those of the rules.

    A structure that no rule takes becomes background, and this is said; where the rules also want a label that the dataset
    does not declare, the one may be the other by another name, and the case is refused.

    Args:
        mask: Values as the dataset gave them.
        declared: Values by structure name; several values are a region.
        rules: Labels by name; `outlines` say which structure of another name is meant.
        name: What to call the case in messages.
        apart: Structures that are known to be none of the wanted ones.

    Returns:
        The mask in the rules' labels; what is declared as `ignore` is `IGNORED`.

    Raises:
        InputError: `unknown_label` for a value that nobody declared; `no_matching_outline` when no structure is wanted;
            `unmatched_structure` for one that may be a wanted label; `ambiguous_region`; `broken_dataset_json` when a
            declared value can be no label.
    """
    _require_values(declared, rules, name)
    held = {structure: values for structure, values in declared.items() if not spelling.is_background(structure)}
    labels = label_of_values(held, rules, name=name)
    table = np.zeros(256, dtype=np.uint8)
    for value, label in labels.items():
        table[value] = label or 0
    _refuse_unknown(mask, sorted({0, *(v for values in declared.values() for v in values)}), name)
    if not set(labels.values()) - {None, IGNORED}:
        raise InputError(
            f"Expected a structure of ingest.labels ({', '.join(rules.labels)}) or ingest.outlines in {name}, found "
            f"{', '.join(declared)}. Name them alike, or add a rule to ingest.outlines.",
            reason="no_matching_outline",
        )
    for structure, values in held.items():
        for label in {labels.get(value) for value in values} - {None}:
            took(rules.called(int(label or 0)), structure)
    _tell_dropped(mask, held, labels, rules, name, apart)
    counts = np.bincount(mask.labels.ravel(), minlength=256)
    # Two values of one name are one structure.
    tell_united({(narrowest(v, held)[0], label) for v, label in labels.items() if v and counts[v]}, name)
    return Mask(table[mask.labels], mask.geometry)


def _require_values(declared: Mapping[str, Sequence[int]], rules: ReadingRules, name: str) -> None:
    for structure, values in declared.items():
        wanted = rules.named(structure) is not None or spelling.key(structure) == IGNORE
        if not all((1 if wanted else 0) <= value <= 255 for value in values):
            raise InputError(
                f"Expected label values {'1' if wanted else '0'}..255 for {structure} in the declaration of {name}, found "
                f"{', '.join(map(str, values))}. Mend it.",
                reason="broken_dataset_json",
            )


def _tell_dropped(
    mask: Mask,
    held: Mapping[str, Sequence[int]],
    labels: Mapping[int, int | None],
    rules: ReadingRules,
    name: str,
    apart: Collection[str],
) -> None:
    counts = np.bincount(mask.labels.ravel(), minlength=256)
    dropped = {v: narrowest(v, held)[0] for v, label in labels.items() if label is None and v and counts[v]}
    lost = [(s, int(counts[v])) for v, s in dropped.items() if not rules.is_unwanted(s)]
    missing = [called for called, label in rules.labels.items() if label not in labels.values()]
    doubtful = [found for found in lost if found[0] not in apart]
    if doubtful and missing:
        raise InputError(
            f"Expected a rule for each structure of {name}, found none for {_counted(doubtful)}, while nothing is called "
            f"{', '.join(missing)}: the one may be the other. Say in ingest.outlines which label it is, or give it the label "
            "background.",
            reason="unmatched_structure",
        )
    tell_dropped(lost, name)


def tell_dropped(dropped: Iterable[tuple[str, int | None]], name: str) -> None:
    """Say which structures no rule takes.

    Args:
        dropped: Name and voxels of each, None where they were not counted; one without voxels is not spoken of.
        name: What to call the case.
    """
    present = [(structure, n_voxels) for structure, n_voxels in dropped if n_voxels != 0]
    if present:
        note(
            "dropped_structure",
            f"{name}: no rule of ingest.outlines takes {_counted(present)}: taken for background. Add a rule if it is wanted.",
        )


def tell_united(structures: Iterable[tuple[str, int | None]], name: str) -> None:
    """Say which structures are of one label.

    Args:
        structures: Name and label of each that has voxels, two of one name among them; None where no rule takes it.
        name: What to call the case.
    """
    by_label: dict[int, list[str]] = {}
    for structure, label in structures:
        if label and label != IGNORED:
            by_label.setdefault(label, []).append(structure)
    for _, united in sorted(by_label.items()):
        if len(united) > 1:
            note(
                "united_structures",
                f"Structures {', '.join(sorted(united))} of {name} are of one label: they are united.",
            )


def tell_ignored(mask: Mask | None, name: str) -> None:
    """Say how many voxels are not known.

    Args:
        mask: As read, in the rules' labels.
        name: What to call the case.
    """
    n_voxels = 0 if mask is None else int(np.count_nonzero(mask.labels == IGNORED))
    if n_voxels:
        note(
            IGNORED_VOXELS,
            f"{name}: {n_voxels} voxels are marked to be ignored: nothing is learned from them, and nothing judged by them.",
        )


def tell_nearly_full(mask: Mask | None, name: str) -> None:
    """Say that one label is nearly all there is: inside and outside may have been exchanged.

    Args:
        mask: As read, in the rules' labels.
        name: What to call the case.
    """
    # Counting values takes 70 times as long as counting what is none, and nearly every mask is nearly empty.
    if mask is None or np.count_nonzero(mask.labels) <= NEARLY_FULL * mask.labels.size:
        return
    counts = np.bincount(mask.labels.ravel(), minlength=256)[1:IGNORED]
    if counts.max() > NEARLY_FULL * mask.labels.size:
        note(
            "mask_nearly_full",
            f"{name}: {counts.max()} of {mask.labels.size} voxels have the label {counts.argmax() + 1}. If the mask is inverted, mend "
            "it: it was read as it is.",
        )


def _counted(structures: Iterable[tuple[str, int | None]]) -> str:
    return ", ".join(s if n_voxels is None else f"{s} ({n_voxels} voxels)" for s, n_voxels in structures)


def as_declared(mask: Mask, rules: ReadingRules, *, name: str) -> Mask:
    """Take values that nobody named: they must be those of the rules, or say inside or not for the only label.

    A 1 says so where the only label is 1 alone: where it is 2, a 1 is more likely the organ around it.

    Raises:
        InputError: `unknown_label`.
    """
    present = _present(mask) - {0}
    if len(rules.labels) == 1 and len(present) == 1 and present <= set(INSIDE):
        (label,) = rules.labels.values()
        if label == 1 or present == {255}:
            return Mask(np.where(mask.labels > 0, np.uint8(label), np.uint8(0)), mask.geometry)
        raise InputError(
            f"Expected the label {label} in the mask of {name}, found 1 alone: it may be another structure. Give the label the "
            "number 1 in ingest.labels if 1 says inside.",
            reason="unknown_label",
        )
    _refuse_unknown(mask, [0, *rules.labels.values()], name)
    return mask


def unite(parts: Sequence[LabelPart], geometry: Geometry, rules: ReadingRules) -> Mask:
    """Unite structures, each a label and its voxels.

    Where two overlap, the label that stands later in `ingest.labels` wins; what is to be ignored wins over all.
    """
    rank = {label: place for place, label in enumerate(rules.labels.values())} | {IGNORED: len(rules.labels)}
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    for label, voxels in sorted(parts, key=lambda part: rank[part[0]]):
        labels[voxels] = label
    return Mask(labels, geometry)


def wanted_parts(
    structures: Sequence[tuple[str, NDArray[np.bool_]]], rules: ReadingRules, *, name: str
) -> list[LabelPart]:
    """Choose what the rules want of the structures that a study names, and say what they do not.

    A study need not have every structure: its list says nothing of what others are called, and so is no doubt.

    Args:
        structures: Name and voxels of each.
        rules: Which structure is which label.
        name: What to call the case in messages.

    Returns:
        What `unite` takes.

    Raises:
        InputError: `no_matching_outline` when the rules want none of them.
    """
    found = [(structure, rules.named(structure), voxels) for structure, voxels in structures]
    if all(label is None for _, label, _ in found):
        raise InputError(
            f"Expected a structure of ingest.labels ({', '.join(rules.labels)}) or ingest.outlines in {name}, found "
            f"{', '.join(structure for structure, _, _ in found)}. Add a rule to ingest.outlines.",
            reason="no_matching_outline",
        )
    lost = [(s, int(np.count_nonzero(v))) for s, label, v in found if label is None and not rules.is_unwanted(s)]
    tell_dropped(lost, name)
    tell_united(((s, label) for s, label, v in found if v.any()), name)
    for structure, label, _ in found:
        if label is not None:
            took(rules.called(label), structure)
    return [(label, voxels) for _, label, voxels in found if label is not None]


def is_one_structure(mask: Mask) -> bool:
    """Tell whether a mask says inside or not, and no more."""
    return any(_present(mask) == {0, mark} for mark in INSIDE)


def _present(mask: Mask) -> set[int]:
    return {int(v) for v in np.flatnonzero(np.bincount(mask.labels.ravel(), minlength=256))}


def _refuse_unknown(mask: Mask, known: Sequence[int], name: str) -> None:
    unknown = sorted(_present(mask) - set(known))
    if unknown:
        raise InputError(
            f"Expected only the labels {', '.join(map(str, known))} in the mask of {name}, found "
            f"{', '.join(map(str, unknown[:12]))}. Declare them in ingest.labels, or in the dataset's dataset.json.",
            reason="unknown_label",
        )
