"""From PET voxels to standardized uptake by body weight (SUVbw, g/ml).

References:
    QIBA, vendor-neutral pseudo-code for SUV calculation (2018-06-26); DICOM PS3.3 C.8.9.1 (PET Series module).
"""

import math
from collections.abc import Sequence
from typing import Any

from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import Tag

from lesionflow.errors import DicomError
from lesionflow.io.dicom.values.pet_times import decay_time_s
from lesionflow.io.dicom.values.plausibility import require_dose, require_half_life, say_uptake
from lesionflow.machine.error_words import plain_words

GRAMS_PER_KG = 1000.0
#: Philips writes counts and, in private elements, what makes SUV or Bq/ml of them. Whoever reserves a block first has it
#: (PS3.5 7.8.1), so an element is known by its creator and its last two digits alone.
PHILIPS_GROUP, PHILIPS = 0x7053, "Philips PET Private Group"
PHILIPS_SUV_FACTOR, PHILIPS_BQML_FACTOR = 0x00, 0x09
#: What must be the same on every slice: the factor is one for the series.
OF_UNITS = ("Units", "SUVType")
OF_FACTORS = (
    "DecayCorrection",
    "CorrectedImage",
    "PatientWeight",
    "TimezoneOffsetFromUTC",
    "DecayCorrectionDateTime",
)
OF_DRUG = (
    "RadionuclideTotalDose",
    "RadionuclideHalfLife",
    "RadiopharmaceuticalStartTime",
    "RadiopharmaceuticalStartDateTime",
)

#: All of that, as it stands in a slice.
STORED_TAGS = tuple(Tag(keyword) for keyword in (*OF_UNITS, *OF_FACTORS, "RadiopharmaceuticalInformationSequence"))


def suv_factor(slices: Sequence[Any], *, name: str) -> float:
    """Return what rescaled PET values are multiplied by to give SUVbw.

    Args:
        slices: The data sets of all slices of the series.
        name: What to call the study in messages.

    Returns:
        1 for `GML`; weight over decayed dose for `BQML`; Philips' own factors for `CNTS`.

    Raises:
        DicomError: `missing_suv_factors` when corrections, weight, dose, half life or times are absent or senseless;
            `implausible_dose`, `implausible_weight` or `implausible_half_life` when they can't be;
            `unsupported_pet_units` for other units; `mixed_pet_units` or `mixed_suv_factors` when slices differ.
    """
    _require_one_of_each(slices, name)
    data = slices[0]
    units = str(data.get("Units") or "")
    if units == "GML":
        return _require_body_weight(data, name)
    if units == "CNTS" and (philips := _private(data, PHILIPS_SUV_FACTOR)):
        return philips
    scale = _private(data, PHILIPS_BQML_FACTOR) if units == "CNTS" else 1.0
    if units not in {"BQML", "CNTS"} or not scale:
        raise DicomError(
            f"Expected PET units GML or BQML in {name}, found {units or 'none'}. Export the series in Bq/ml or SUV.",
            reason="unsupported_pet_units",
        )
    try:
        return scale * _grams_per_becquerel(slices, name)
    except DicomError:
        raise
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise DicomError(
            "Expected attenuation and decay correction, weight, dose, half life, times and decay correction START or ADMIN "
            f"in PET of {name}, found: {plain_words(error)}. Export the series with them, or as SUV.",
            reason="missing_suv_factors",
        ) from error


def _require_one_of_each(slices: Sequence[Any], name: str) -> None:
    """Refuse a series whose slices don't agree in what the factor is made of."""
    if len({_as_stored(data) for data in slices}) == 1:
        return
    private = (PHILIPS_SUV_FACTOR, PHILIPS_BQML_FACTOR)
    units = {(*_told(data, OF_UNITS), *(_private(data, element) for element in private)) for data in slices}
    if len(units) > 1:
        found = " and ".join(sorted({str(data.get("Units") or "none") for data in slices}))
        raise DicomError(
            f"Expected one unit on all slices of PET of {name}, found {len(units)} ({found}). Export the series in one.",
            reason="mixed_pet_units",
        )
    factors = {(*_told(data, OF_FACTORS), *_told(_drug(data), OF_DRUG)) for data in slices}
    if len(factors) > 1 and str(slices[0].get("Units") or "") != "GML":
        raise DicomError(
            f"Expected dose, weight, times and corrections of PET of {name} the same on all slices, found {len(factors)} kinds. "
            "Separate the series, or export it as SUV.",
            reason="mixed_suv_factors",
        )


def _as_stored(data: Any) -> tuple[Any, ...]:
    """Return what the factor is made of as the file has it: decoding it on every slice takes a twentieth of the reading."""
    tags = (*STORED_TAGS, *_philips_tags(data))
    return tuple(_bare(data.get_item(tag).value) if tag in data else None for tag in tags)


def _philips_tags(data: Any) -> tuple[Any, ...]:
    """Return where a data set keeps Philips' factors; nowhere when it has no block of that creator."""
    if not any(tag.group == PHILIPS_GROUP for tag in data.keys()):  # noqa: SIM118 keys decode no values
        return ()
    try:
        block = data.private_block(PHILIPS_GROUP, PHILIPS)
    except KeyError:
        return ()
    return tuple(block.get_tag(element) for element in (PHILIPS_SUV_FACTOR, PHILIPS_BQML_FACTOR))


def _bare(value: Any) -> Any:
    """Return a value as bytes or text, of a sequence those of its items."""
    if isinstance(value, DicomSequence):
        return tuple((element.tag, _bare(element.value)) for item in value for element in item.values())
    return value if isinstance(value, bytes) else str(value)


def _one_injection(drugs: Sequence[Any]) -> Any:
    """Return the one injection: which part of the voxels came from which of several can't be known."""
    if not drugs:
        message = "no injection (RadiopharmaceuticalInformationSequence)"
        raise ValueError(message)
    if len({_told(drug, OF_DRUG) for drug in drugs}) > 1:
        message = f"{len(drugs)} injections"
        raise ValueError(message)
    return drugs[0]


def _told(data: Any, keywords: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(data.get(keyword) or "") for keyword in keywords)


def _drug(data: Any) -> Any:
    return (data.get("RadiopharmaceuticalInformationSequence") or [{}])[0]


def _require_body_weight(data: Any, name: str) -> float:
    kind = str(data.get("SUVType") or "BW")
    if kind != "BW":
        raise DicomError(
            f"Expected SUV by body weight in PET of {name}, found SUV type {kind}. Export it as SUVbw.",
            reason="unsupported_pet_units",
        )
    return 1.0


def _private(data: Any, element: int) -> float:
    """Return a factor of Philips' block; 0 when there is none that could be one."""
    found = [data.get(tag) for tag in _philips_tags(data) if tag & 0xFF == element]
    try:
        factor = float(found[0].value) if found and found[0] is not None and found[0].value else 0.0
    except (TypeError, ValueError):
        return 0.0
    return factor if math.isfinite(factor) and factor > 0 else 0.0


def patient_weight_kg(data: Any) -> float:
    """Return a patient's weight; 0 when none is told."""
    try:
        weight_kg = float(data.get("PatientWeight") or 0.0)
    except (TypeError, ValueError):
        return 0.0
    return weight_kg if math.isfinite(weight_kg) else 0.0


def _figure(data: Any, keyword: str) -> float:
    """Return a number of the header, or say by name that it is not there."""
    value = data.get(keyword)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        message = f"no {keyword}" if value is None or value == "" else f"a {keyword} that is no number"
        raise ValueError(message) from error


def _grams_per_becquerel(slices: Sequence[Any], name: str) -> float:
    data = slices[0]
    corrected = str(data.get("CorrectedImage") or "none")
    if "ATTN" not in corrected or "DECY" not in corrected:
        message = f"corrections {corrected}"
        raise ValueError(message)
    drug = _one_injection(data.get("RadiopharmaceuticalInformationSequence") or ())
    weight_kg = _figure(data, "PatientWeight")
    dose_bq, half_life_s = _figure(drug, "RadionuclideTotalDose"), _figure(drug, "RadionuclideHalfLife")
    if not all(math.isfinite(v) and v > 0 for v in (weight_kg, dose_bq, half_life_s)):
        message = f"weight {weight_kg} kg, dose {dose_bq} Bq, half life {half_life_s} s"
        raise ValueError(message)
    require_dose(dose_bq, weight_kg, name=name)
    require_half_life(half_life_s, drug, name=name)
    decay_s = decay_time_s(slices, drug, half_life_s, name=name)
    if str(data.get("DecayCorrection")) == "START":
        say_uptake(decay_s, half_life_s, name=name)
    return float(weight_kg * GRAMS_PER_KG / (dose_bq * 2.0 ** (-decay_s / half_life_s)))
