"""Params of `ingest`, `validate` and `split`: which cases there are, and who is tested on."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, TypeVar

from pydantic import Field, ValidationInfo, field_validator

from lesionflow.config.names import RESERVED, did_you_mean, name_faults
from lesionflow.config.sections.section import (
    ChannelKind,
    Count,
    Fraction,
    Label,
    MadeAnew,
    NotNegative,
    Positive,
    Section,
    Severity,
    in_order,
)

Named = TypeVar("Named")


class ChannelRule(Section):
    """Which series becomes a channel."""

    kind: ChannelKind
    """What its intensities are, which decides how they are normalized: `ct` by HU, `pet` by SUV, `mr` and `picture` by study."""
    modality: str
    """DICOM's modality of the series (0008,0060), such as CT, PT or MR; empty for data that are no DICOM."""
    series_description: str
    """A regular expression searched, ignoring case, in the series description (0008,103E); an empty one fits any."""
    body_part: str = ""
    """A regular expression searched, ignoring case, in the body part examined (0018,0015); an empty one, or none, fits any."""
    reconstruction_kernel: str = ""
    """A regular expression searched, ignoring case, in the convolution kernel (0018,1210); an empty one, or none, fits any."""


class OutlineRule(Section):
    """Which outlined structure becomes which label."""

    pattern: str
    """A regular expression matched against the whole name of the ROI or segment, in any of its spellings (docs/formats.md)."""
    label: str
    """What the structure becomes: a name of `ingest.labels`; `background`, not wanted; or `ignore`, not known: nothing is learned there."""


class IngestConfig(Section):
    """Params of `ingest`."""

    made_anew: ClassVar = MadeAnew.CASES

    dataset_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
    """The data set's name: in the case table, in the plan, and of the MLflow experiment."""
    layout: str
    """How the folder of studies is laid out: a reader's name (docs/formats.md), or `auto` to recognize it."""
    patient_pattern: str
    """A regular expression whose first group is the patient's part of a case's name, for layouts that know no patients; or `auto`."""
    channels: Annotated[dict[str, ChannelRule], Field(min_length=1)]
    """The network's inputs by name, and for each the rule that says which series it is."""
    reference_channel: str
    """The channel on whose grid the other channels and the outlines are laid."""
    labels: Annotated[dict[str, Label], Field(min_length=1)]
    """Names of what is outlined, each with its number in a mask; 0 is background, 255 is kept for what is not known."""
    regions: dict[str, tuple[Label, ...]]
    """Outputs that are unions of labels, by name, which may overlap; with none, each label is an output."""
    outlines: tuple[OutlineRule, ...]
    """Which outlined structure becomes which label; the first rule that fits is taken."""
    slice_spacing_tolerance_fraction: Fraction
    """How far a slice may lie beside its place on the even grid, in slice distances, before the series is refused; rounding is allowed for."""
    max_rejected_fraction: Fraction
    """Which share of the studies may be refused before the run fails."""

    @field_validator("channels", "labels", "regions")
    @classmethod
    def _names_can_be_used(cls, named: dict[str, Named]) -> dict[str, Named]:
        if faults := name_faults(named):
            raise ValueError("; ".join(faults))
        return named

    @field_validator("labels")
    @classmethod
    def _numbers_are_unique(cls, labels: dict[str, int]) -> dict[str, int]:
        names: dict[int, list[str]] = {}
        for name, number in labels.items():
            names.setdefault(number, []).append(name)
        if twice := [f"{' and '.join(same)} are both {number}" for number, same in names.items() if len(same) > 1]:
            raise ValueError(f"a number means one label, but {'; '.join(twice)}")
        return labels

    @field_validator("reference_channel")
    @classmethod
    def _reference_is_a_channel(cls, name: str, info: ValidationInfo) -> str:
        channels = info.data.get("channels")
        if channels is not None and name not in channels:
            raise ValueError(f"expected one of the channels {', '.join(channels)}.{did_you_mean(name, channels)}")
        return name

    @field_validator("regions")
    @classmethod
    def _regions_unite_labels(
        cls, regions: dict[str, tuple[int, ...]], info: ValidationInfo
    ) -> dict[str, tuple[int, ...]]:
        labels: dict[str, int] | None = info.data.get("labels")
        if labels is not None and (faults := region_faults(regions, labels)):
            raise ValueError("; ".join(faults))
        return regions

    @field_validator("outlines")
    @classmethod
    def _outlines_become_labels(
        cls, outlines: tuple[OutlineRule, ...], info: ValidationInfo
    ) -> tuple[OutlineRule, ...]:
        # Labels that are wrong themselves are not known here, and say so.
        labels: list[str] = list(info.data.get("labels", ()))
        known = [*labels, *RESERVED]
        unknown = [rule.label for rule in outlines if labels and rule.label not in known]
        if unknown:
            hints = [f"{name}.{did_you_mean(name, known)}" for name in dict.fromkeys(unknown)]
            raise ValueError(f"expected labels of ingest.labels ({', '.join(labels)}), found {' '.join(hints)}")
        return outlines


def region_faults(regions: Mapping[str, tuple[int, ...]], labels: Mapping[str, int]) -> list[str]:
    """Say what is wrong with regions.

    Args:
        regions: Numbers of labels by the region's name.
        labels: Numbers by name.

    Returns:
        A sentence a fault.
    """
    known = ", ".join(f"{number} {name}" for name, number in labels.items())
    numbers, faults = set(labels.values()), []
    for name, united in regions.items():
        if unknown := sorted(set(united) - numbers):
            faults.append(f"region {name} unites {', '.join(map(str, unknown))}, but the labels are {known}")
        if not united or len(set(united)) < len(united):
            faults.append(f"region {name} must unite at least one label, and each once, found {list(united)}")
        if name in labels and labels[name] not in united:
            faults.append(f"region {name} does not hold the label {name} ({labels[name]}); call it otherwise")
    left = [
        f"{number} {name}"
        for name, number in labels.items()
        if regions and not any(number in r for r in regions.values())
    ]
    if left:
        faults.append(
            f"every label must belong to a region, but {', '.join(left)} belongs to none; add a region for it"
        )
    same = {
        frozenset(united): [n for n, other in regions.items() if set(other) == set(united)]
        for united in regions.values()
    }
    faults += [
        f"regions {' and '.join(names)} are the same labels; take one out" for names in same.values() if len(names) > 1
    ]
    return faults


class ValidateConfig(Section):
    """Params of `validate`: limits of the case table and what happens beyond them."""

    made_anew: ClassVar = MadeAnew.CHECKS

    min_cases: Count
    """How many cases there must be at least (check `min_cases`)."""
    spacing_mm: tuple[Positive, Positive]
    """Smallest and largest plausible voxel spacing along each axis (check `spacing`)."""
    min_shape: tuple[Count, Count, Count]
    """Fewest slices, rows and columns of a plausible image (check `shape`)."""
    ct_range_hu: tuple[float, float]
    """Smallest and largest plausible value of a CT (check `intensity_range`)."""
    max_suv: Positive
    """Largest plausible uptake of a PET (check `intensity_range`)."""
    tumor_volume_ml: tuple[NotNegative, Positive]
    """Smallest and largest plausible volume of all that is outlined in a case (check `tumor_volume`)."""
    min_inside_body_fraction: Fraction
    """Which share of an outline must lie inside the body (check `inside_body`)."""
    max_mirrored_gain_fraction: Fraction
    """How much larger the share inside the body may be of the mirrored outline before it counts as mirrored (check `alignment`)."""
    min_outline_contrast: NotNegative
    """How far the medians inside and around an outline must differ in some channel, in standard deviations of the rim (check `alignment`)."""
    max_obliqueness_degrees: Annotated[float, Field(ge=0.0, le=55.0)]
    """How far a grid may be turned against the patient's axes (check `orientation`)."""
    max_scanner_fraction: Fraction
    """Which share of the cases may come from one maker's scanners (check `scanner_mix`)."""
    max_drift: Fraction
    """How unlike the champion's data new cases may be distributed: the Kolmogorov-Smirnov distance of any figure (check `drift`)."""
    champion_model_name: str
    """The registered model whose champion's data the cases are compared with; empty for none."""
    severity: dict[str, Severity]
    """For each check: `fail` stops the run, `quarantine` leaves the case out, `warn` says so, `off` does not look."""
    max_quarantined_fraction: Fraction
    """Which share of the cases may be in quarantine before the run fails."""

    _limits_in_order = field_validator("spacing_mm", "ct_range_hu", "tumor_volume_ml")(in_order)


class SplitConfig(Section):
    """Params of `split`."""

    made_anew: ClassVar = MadeAnew.SPLIT

    model_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]*$")]
    """The registered model whose locked test set this is, as in `register.model_name`; empty for a split of this workspace alone."""
    seed: int
    """Source of the draw of patients; patients who were divided before stay in the test set or out of it."""
    test_fraction: Fraction
    """Which share of the patients is locked away to test on; new patients fill it up."""
    n_folds: Annotated[int, Field(ge=2)]
    """Into how many folds the other patients are divided; each fold validates on one part and learns from the rest."""
    fold: Annotated[int, Field(ge=0)]
    """Which fold `train.folds: one` trains, counted from 0."""
    n_volume_strata: Count
    """Into how many classes of tumor volume patients are sorted, so that every part has its share of each."""
