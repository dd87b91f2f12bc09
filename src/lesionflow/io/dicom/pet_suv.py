"""From PET voxels to standardized uptake by body weight (SUVbw, g/ml).

References:
    QIBA, vendor-neutral pseudo-code for SUV calculation (2013-06-26); DICOM PS3.3 C.8.9.1 (PET Series module).
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from lesionflow.errors import DicomError

GRAMS_PER_KG = 1000.0
DAY_S = 86_400.0
#: Beyond this many half-lives nothing is left to see: the times must be wrong.
MAX_HALF_LIVES = 10.0
#: Philips writes counts and, in private elements, what makes SUV or Bq/ml of them.
PHILIPS_SUV_FACTOR, PHILIPS_BQML_FACTOR = (0x7053, 0x1000), (0x7053, 0x1009)


def suv_factor(slices: Sequence[Any], *, name: str) -> float:
    """Return what rescaled PET values are multiplied by to give SUVbw.

    Args:
        slices: The data sets of all slices of the series.
        name: What to call the study in messages.

    Returns:
        1 for `GML`; weight over decayed dose for `BQML`; Philips' own factors for `CNTS`.

    Raises:
        DicomError: `missing_suv_factors` when corrections, weight, dose, half life or times are absent or senseless;
            `unsupported_pet_units` for other units.
    """
    data = slices[0]
    units = str(data.get("Units") or "")
    if units == "GML":
        return _require_body_weight(data, name)
    if units == "CNTS" and _private(data, PHILIPS_SUV_FACTOR):
        return _private(data, PHILIPS_SUV_FACTOR)
    scale = _private(data, PHILIPS_BQML_FACTOR) if units == "CNTS" else 1.0
    if units not in {"BQML", "CNTS"} or not scale:
        raise DicomError(
            f"Expected PET units GML or BQML in {name}, found {units or 'none'}. Export the series in Bq/ml or SUV.",
            reason="unsupported_pet_units",
        )
    try:
        return scale * _grams_per_becquerel(slices)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise DicomError(
            "Expected attenuation and decay correction, weight, dose, half life, times and decay correction START or ADMIN "
            f"in PET of {name}, found: {error!s:.150}. Export the series with them, or as SUV.",
            reason="missing_suv_factors",
        ) from error


def _require_body_weight(data: Any, name: str) -> float:
    kind = str(data.get("SUVType") or "BW")
    if kind != "BW":
        raise DicomError(
            f"Expected SUV by body weight in PET of {name}, found SUV type {kind}. Export it as SUVbw.",
            reason="unsupported_pet_units",
        )
    return 1.0


def _private(data: Any, tag: tuple[int, int]) -> float:
    element = data.get(tag)
    return float(element.value) if element is not None and element.value else 0.0


def _grams_per_becquerel(slices: Sequence[Any]) -> float:
    data = slices[0]
    corrected = str(data.CorrectedImage)
    if "ATTN" not in corrected or "DECY" not in corrected:
        message = f"corrections {corrected}"
        raise ValueError(message)
    drug = data.RadiopharmaceuticalInformationSequence[0]
    weight_g = float(data.PatientWeight) * GRAMS_PER_KG
    dose_bq, half_life_s = float(drug.RadionuclideTotalDose), float(drug.RadionuclideHalfLife)
    if not all(math.isfinite(v) and v > 0 for v in (weight_g, dose_bq, half_life_s)):
        message = f"weight {weight_g} g, dose {dose_bq} Bq, half life {half_life_s} s"
        raise ValueError(message)
    decay_s = _decay_time_s(slices, drug)
    if decay_s > MAX_HALF_LIVES * half_life_s:
        message = f"{decay_s} s from injection to scan with a half life of {half_life_s} s"
        raise ValueError(message)
    return float(weight_g / (dose_bq * 2.0 ** (-decay_s / half_life_s)))


def _decay_time_s(slices: Sequence[Any], drug: Any) -> float:
    """Return the seconds from the time that the dose was measured at to the time that voxels were corrected to."""
    data = slices[0]
    correction = str(data.DecayCorrection)
    if correction == "ADMIN":
        return 0.0
    if correction != "START":
        message = f"decay correction {correction!r}"
        raise ValueError(message)
    scan = _scan_time(slices)
    started = drug.get("RadiopharmaceuticalStartDateTime")
    if started:
        elapsed_s = (scan - _time(str(started)[:8], str(started)[8:])).total_seconds()
        if elapsed_s >= 0:
            return elapsed_s
    injected = _time(f"{scan:%Y%m%d}", str(started)[8:] if started else str(drug.RadiopharmaceuticalStartTime))
    # Dates may be shifted one by one when studies are de-identified, and an injection may be before midnight.
    return (scan - injected).total_seconds() % DAY_S


def _scan_time(slices: Sequence[Any]) -> datetime:
    """Return when the scan began: the series' time, unless that is later than the first acquisition (a later rework)."""
    data = slices[0]
    series = _time(str(data.SeriesDate), str(data.SeriesTime))
    acquired = [
        _time(str(d.get("AcquisitionDate") or d.SeriesDate), str(d.AcquisitionTime))
        for d in slices
        if d.get("AcquisitionTime")
    ]
    return min([series, *acquired])


def _time(date: str, time: str) -> datetime:
    whole, _, fraction = time.partition(".")
    if len(whole) < 2 or not whole[:6].isdigit():
        message = f"time {time!r}"
        raise ValueError(message)
    parsed = datetime.strptime(f"{date}{whole[:6]:0<6}", "%Y%m%d%H%M%S")  # noqa: DTZ007 scanners write local time
    return parsed + timedelta(seconds=float(f"0.{fraction[:6]}") if fraction[:6].isdigit() else 0.0)
