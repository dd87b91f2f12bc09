"""From what a mask holds - numbers that somebody gave a meaning, or one structure a mask - to the labels of the rules."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import InputError
from lesionflow.io.rules import ReadingRules

#: What programs write for "inside" when there is one structure alone.
INSIDE = (1, 255)


def translate(mask: Mask, declared: Mapping[str, Sequence[int]], rules: ReadingRules, *, name: str) -> Mask:
    """Bring label values that a dataset names to those of the rules; structures that no rule names become background.

    Args:
        mask: Values as the dataset gave them.
        declared: Values by structure name; several values are a region, which gives its labels their own numbers.
        rules: Labels by name; `outlines` say which structure of another name is meant.
        name: What to call the case in messages.

    Returns:
        The mask in the rules' labels.

    Raises:
        InputError: `unknown_label` for a value that nobody declared; `no_matching_outline` when no structure is wanted;
            `broken_dataset_json` when a declared value can be no label.
    """
    table, known = np.zeros(256, dtype=np.uint8), np.zeros(256, dtype=bool)
    known[0] = True
    for structure, values in declared.items():
        if not all(0 <= value < len(table) for value in values):
            raise InputError(
                f"Expected label values 0..255 in the declaration of {name}, found {list(values)}. Mend it.",
                reason="broken_dataset_json",
            )
        known[list(values)] = True
        wanted = rules.labels.get(structure, rules.label_of(structure))
        if len(values) > 1:
            for value in set(values) & set(rules.labels.values()):
                table[value] = value
        elif wanted is not None:
            table[values[0]] = wanted
    _refuse_unknown(mask, [int(v) for v in np.flatnonzero(known)], name)
    if not table.any():
        raise InputError(
            f"Expected a structure of ingest.labels ({', '.join(rules.labels)}) or ingest.outlines in {name}, found "
            f"{', '.join(declared)}. Name them alike, or add a rule to ingest.outlines.",
            reason="no_matching_outline",
        )
    return Mask(table[mask.labels], mask.geometry)


def as_declared(mask: Mask, rules: ReadingRules, *, name: str) -> Mask:
    """Take values that nobody named: they must be those of the rules, or say inside or not for the only label.

    Raises:
        InputError: `unknown_label`.
    """
    present = _present(mask) - {0}
    if len(rules.labels) == 1 and len(present) == 1 and present <= set(INSIDE):
        (label,) = rules.labels.values()
        return Mask(np.where(mask.labels > 0, np.uint8(label), np.uint8(0)), mask.geometry)
    _refuse_unknown(mask, [0, *rules.labels.values()], name)
    return mask


def unite(parts: Sequence[tuple[int, NDArray[np.bool_]]], geometry: Geometry, rules: ReadingRules) -> Mask:
    """Unite structures, each a label and its voxels; where two overlap, the label that stands later in `ingest.labels` wins."""
    rank = {label: place for place, label in enumerate(rules.labels.values())}
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    for label, inside in sorted(parts, key=lambda part: rank[part[0]]):
        labels[inside] = label
    return Mask(labels, geometry)


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
