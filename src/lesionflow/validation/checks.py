"""What is expected of a case table: named checks, each a few rules on columns. Great Expectations judges them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from lesionflow.cohort.drift import measure_drift
from lesionflow.cohort.group_names import UNKNOWN, group_names
from lesionflow.cohort.near_duplicates import SIGNATURE_COLUMNS, find_near_duplicates
from lesionflow.config import Severity
from lesionflow.data.dataset import Dataset, Kind
from lesionflow.errors import ConfigError

RuleKind = Literal["between", "not_null", "null", "unique", "greater", "row_count"]


#: What is compared with the champion's data: columns, and columns of each channel.
FIGURES = ("spacing_slice_mm", "spacing_row_mm", "spacing_column_mm", "tumor_ml")
CHANNEL_FIGURES = ("p01", "mean", "p99")


class Check(NamedTuple):
    """One thing that may be wrong: what it means, what to do, and whether it points at single cases."""

    meaning: str
    advice: str
    by_case: bool = True


#: Every check by its name in `validate.severity`.
CHECKS: Mapping[str, Check] = {
    "spacing": Check(
        "A voxel spacing is missing or beyond `validate.spacing_mm`.",
        "Look at the spacing in the source's headers: cm for mm and thumbnails are the usual causes.",
    ),
    "shape": Check(
        "There are fewer slices, rows or columns than `validate.min_shape`.",
        "A series of a few slices is a localizer or was sent in part: send the whole series again.",
    ),
    "intensity_range": Check(
        "Intensities lie beyond `validate.ct_range_hu` or `validate.max_suv`, or the image is flat.",
        "Check the rescale slope and intercept (CT) or the SUV factors (PET) of the source.",
    ),
    "non_finite": Check("Voxels are NaN or infinite.", "Export the image again."),
    "labels": Check(
        "There is no outline, or the outline has a label that the dataset does not declare.",
        "Outline the case, or mend `ingest.outlines` and `ingest.labels`.",
    ),
    "tumor_volume": Check(
        "The outlined tumor is smaller or larger than `validate.tumor_volume_ml`.",
        "Look at the outline: an organ or the body contour may have been taken for the tumor.",
    ),
    "inside_body": Check(
        "Less of the tumor than `validate.min_inside_body_fraction` lies inside the body.",
        "Look at the outline over the image: it may be shifted, mirrored or of another study.",
    ),
    "duplicate_image": Check(
        "Two cases hold the same image.",
        "Keep one of them: a copy in the test set would be scored on what was learned by heart.",
    ),
    "near_duplicate_image": Check(
        "Two cases hold nearly the same image, or one is a mirrored copy of the other.",
        "Look at both: keep one. Until then the split keeps them together, so that no copy is tested on.",
    ),
    "orientation": Check(
        "The grid is turned against the patient's axes by more than `validate.max_obliqueness_degrees`.",
        "Look at the thumbnail: where the patient does not lie as expected, the source's orientation is wrong.",
    ),
    "slice_gaps": Check(
        "Slices within the body are empty, or repeat the one before: filled gaps.",
        "Export the series again; a gap that was filled in is not an image.",
    ),
    "alignment": Check(
        "The outline fits the body better mirrored, or sets nothing apart in any channel (`validate.min_outline_contrast`).",
        "Look at the thumbnail: the outline may be mirrored, shifted or drawn on another series.",
    ),
    "patient_in_two_cases": Check(
        "A patient has more than one case.", "Nothing, when these are follow-ups: the split keeps a patient together."
    ),
    "scanner_mix": Check(
        "One maker's scanners give more of the cases than `validate.max_scanner_fraction`.",
        "Nothing is wrong with the cases; expect less on other scanners, and add cases of these.",
        by_case=False,
    ),
    "unlike_champion": Check(
        "A case lies beyond the range of the champion's data in some figure.",
        "Look at it: it may be read wrongly, or be of a kind that the model in use has never seen.",
    ),
    "drift": Check(
        "The new cases are distributed unlike the champion's by more than `validate.max_drift` (Kolmogorov and Smirnov).",
        "Compare the mix of sites and scanners; train on the new cases before the model in use is relied on for them.",
        by_case=False,
    ),
    "min_cases": Check(
        "There are fewer cases than `validate.min_cases`.", "Add studies, or lower the limit.", by_case=False
    ),
}


@dataclass(frozen=True)
class Limits:
    """The bounds of a plausible case table; the same names and units as params section `validate`."""

    min_cases: int
    spacing_mm: tuple[float, float]
    min_shape: tuple[int, int, int]
    ct_range_hu: tuple[float, float]
    max_suv: float
    tumor_volume_ml: tuple[float, float]
    min_inside_body_fraction: float
    max_mirrored_gain_fraction: float
    min_outline_contrast: float
    max_obliqueness_degrees: float
    max_scanner_fraction: float
    max_drift: float


class Rule(NamedTuple):
    """One expectation of one column.

    `between` keeps values in [low, high] (None: open); `not_null`, `null` and `unique` need no bound; `greater` wants
    `column` above column `other`; `row_count` wants at least `low` rows. `between`, `unique` and `greater` pass over
    missing values.
    """

    check: str
    kind: RuleKind
    column: str = ""
    low: float | None = None
    high: float | None = None
    other: str = ""

    @property
    def expected(self) -> str:
        """What the rule expects, in words."""
        low, high = (None if bound is None else f"{bound:g}" for bound in (self.low, self.high))
        if self.kind == "between":
            return f"{self.column} {f'from {low} to {high}' if low and high else f'>= {low}' if low else f'<= {high}'}"
        words = {"not_null": "known", "null": "empty", "unique": "once only", "greater": f"above {self.other}"}
        return f"at least {low} cases" if self.kind == "row_count" else f"{self.column} {words[self.kind]}"


def make_rules(limits: Limits, dataset: Dataset) -> tuple[Rule, ...]:
    """Return the rules of every check.

    Args:
        limits: The bounds.
        dataset: Its channels decide which intensity rules hold; plain pictures have no spacing.

    Returns:
        Rules on the columns of `with_derived_columns`.
    """
    rules = [_shape_rules(limits), *(_channel_rules(name, kind, limits) for name, kind in dataset.channels.items())]
    if set(dataset.channels.values()) != {"picture"}:
        rules.append(_spacing_rules(limits))
        rules.append(
            iter([Rule("orientation", "between", "obliqueness_degrees", None, limits.max_obliqueness_degrees)])
        )
    known = [
        ("tumor_volume", "tumor_ml", *limits.tumor_volume_ml),
        ("inside_body", "inside_body_fraction", limits.min_inside_body_fraction, 1.0),
        ("labels", "has_mask", 1, 1),
        ("labels", "n_unknown_labels", 0, 0),
        ("slice_gaps", "n_flat_slices", 0, 0),
        ("slice_gaps", "n_repeated_slices", 0, 0),
    ]
    rules += [_known_between(*entry) for entry in known]
    for check, column in (("duplicate_image", "image_sha256"), ("patient_in_two_cases", "patient_id")):
        rules.append(iter((Rule(check, "not_null", column), Rule(check, "unique", column))))
    return (
        *chain.from_iterable(rules),
        Rule("alignment", "between", "mirrored_gain_fraction", None, limits.max_mirrored_gain_fraction),
        Rule("alignment", "between", "best_outline_contrast", limits.min_outline_contrast),
        Rule("near_duplicate_image", "null", "near_duplicate_of"),
        Rule("scanner_mix", "between", "scanner_fraction", None, limits.max_scanner_fraction),
        Rule("unlike_champion", "null", "beyond_champion"),
        Rule("drift", "between", "shift_from_champion", None, limits.max_drift),
        Rule("min_cases", "row_count", low=limits.min_cases),
    )


def with_derived_columns(table: pd.DataFrame, dataset: Dataset, champion_cases: Collection[str] = ()) -> pd.DataFrame:
    """Return the table with what the rules need beyond its own columns.

    A case without a tumor has no volume and nothing outside the body; `n_unknown_labels` counts labels of the mask that
    the dataset does not declare; `mirrored_gain_fraction` is how much more of the tumor lies in the body when the outline
    is mirrored; `best_outline_contrast` that of the channel that shows the outline best; `near_duplicate_of` names the
    case of nearly the same image; `scanner_fraction` is the share of all cases that the case's scanner maker gives;
    `beyond_champion` and `shift_from_champion` compare with the champion's data.

    Args:
        table: The case table, one row a case.
        dataset: Its declaration.
        champion_cases: What the champion was trained on.

    Returns:
        A new table.
    """
    drift = measure_drift(
        table, champion_cases, [*FIGURES, *(f"{f}__{c}" for c in dataset.channels for f in CHANNEL_FIGURES)]
    )
    known = {*dataset.labels.values(), 0}
    has_mask = table["has_mask"].fillna(value=False).astype(bool)
    tumor_ml = table["tumor_ml"].where(has_mask, 0.0)
    return table.assign(
        has_mask=has_mask.astype(int),
        tumor_ml=tumor_ml,
        inside_body_fraction=table["inside_body_fraction"].where(tumor_ml != 0.0, 1.0),
        n_unknown_labels=[len(set(read_labels(present)) - known) for present in table["labels_present"]],
        mirrored_gain_fraction=table["mirrored_inside_fraction"] - table["inside_body_fraction"],
        best_outline_contrast=table[[f"outline_contrast__{name}" for name in dataset.channels]].max(axis=1),
        near_duplicate_of=_near_duplicates(table),
        scanner_fraction=_scanner_fraction(table),
        beyond_champion=list(drift.beyond),
        shift_from_champion=drift.shift,
    )


def _scanner_fraction(table: pd.DataFrame) -> pd.Series:
    maker = pd.Series(group_names(table["manufacturer"], makers=True), table.index, dtype=object)
    return (maker.groupby(maker).transform("size") / max(len(table), 1)).where(maker != UNKNOWN)


def _near_duplicates(table: pd.DataFrame) -> list[str | None]:
    """Name the most alike other case for each; copies to the voxel are another check's."""
    names, exact = list(table["case_id"]), list(table["image_sha256"])
    found: list[str | None] = [None] * len(names)
    # Not as lists: of 100,000 cases these hold half a gigabyte.
    pairs = find_near_duplicates(*(table[column].fillna("").array for column in SIGNATURE_COLUMNS))
    for pair in sorted(pairs, key=lambda pair: pair.correlation):
        if exact[pair.first] != exact[pair.second]:
            word = " mirrored" if pair.mirrored else ""
            found[pair.first] = f"{names[pair.second]}{word}"
            found[pair.second] = f"{names[pair.first]}{word}"
    return found


def read_labels(present: object) -> tuple[int, ...]:
    """Return the labels that a cell of `labels_present` lists: a sequence, or numbers parted by commas or spaces."""
    if isinstance(present, str):
        return tuple(int(word) for word in present.strip("[]()").replace(",", " ").split())
    if isinstance(present, list | tuple | np.ndarray):
        return tuple(int(label) for label in present)
    return ()


def require_known_severities(severity: Mapping[str, Severity]) -> None:
    """Refuse a `validate.severity` that does not name exactly the checks, or quarantines what has no case.

    Raises:
        ConfigError: With the names that are missing, unknown or can't be quarantined.
    """
    wrong = [f"`{name}` is missing" for name in CHECKS if name not in severity]
    wrong += [f"`{name}` is no check" for name in severity if name not in CHECKS]
    wrong += [
        f"`{name}` concerns the whole table: `fail`, `warn` or `off`"
        for name, check in CHECKS.items()
        if not check.by_case and severity.get(name) == "quarantine"
    ]
    if wrong:
        raise ConfigError(f"Expected `validate.severity` to name each check, found: {'; '.join(wrong)}.")


def columns_of(rules: tuple[Rule, ...]) -> tuple[str, ...]:
    """Return the columns that rules look at, each once, in order."""
    named = chain.from_iterable((rule.column, rule.other) for rule in rules)
    return tuple(dict.fromkeys(name for name in named if name))


def _known_between(check: str, column: str, low: float | None, high: float | None) -> Iterator[Rule]:
    yield Rule(check, "not_null", column)
    yield Rule(check, "between", column, low, high)


def _spacing_rules(limits: Limits) -> Iterator[Rule]:
    for axis in ("slice", "row", "column"):
        yield from _known_between("spacing", f"spacing_{axis}_mm", *limits.spacing_mm)


def _shape_rules(limits: Limits) -> Iterator[Rule]:
    for axis, low in zip(("slices", "rows", "columns"), limits.min_shape, strict=True):
        yield from _known_between("shape", f"n_{axis}", low, None)


def _channel_rules(channel: str, kind: Kind, limits: Limits) -> Iterator[Rule]:
    bounds = {"ct": limits.ct_range_hu, "pet": (None, limits.max_suv)}.get(kind)
    for figure in ("min", "max"):
        column = f"{figure}__{channel}"
        yield Rule("intensity_range", "not_null", column)
        if bounds:
            yield Rule("intensity_range", "between", column, *bounds)
    yield Rule("intensity_range", "greater", f"max__{channel}", other=f"min__{channel}")
    yield from _known_between("non_finite", f"n_nan__{channel}", 0, 0)
