"""From PET voxels to standardized uptake by body weight (SUVbw, g/ml).

References:
    QIBA, vendor-neutral pseudo-code for SUV (2013); DICOM PS3.3 C.8.9.1 (PET Series module).
"""

from datetime import datetime, timedelta
from typing import Any

from lesionflow.errors import DicomError

GRAMS_PER_KG = 1000.0


def suv_factor(data: Any, *, name: str) -> float:
    """Return what rescaled PET values are multiplied by to give SUVbw.

    Args:
        data: The data set of any slice of the series.
        name: What to call the study in messages.

    Returns:
        1 for `GML`; weight over decayed dose for `BQML`.

    Raises:
        DicomError: `missing_suv_factors` when weight, dose, half life or times are absent or senseless;
            `unsupported_pet_units` for other units.
    """
    units = str(data.get("Units", ""))
    if units == "GML":
        kind = str(data.get("SUVType") or "BW")
        if kind != "BW":
            raise DicomError(
                f"Expected SUV by body weight in PET of {name}, found SUV type {kind}. Export it as SUVbw.",
                reason="unsupported_pet_units",
            )
        return 1.0
    if units != "BQML":
        raise DicomError(
            f"Expected PET units GML or BQML in {name}, found {units or 'none'}. Export the series in Bq/ml or SUV.",
            reason="unsupported_pet_units",
        )
    try:
        drug = data.RadiopharmaceuticalInformationSequence[0]
        weight_g = float(data.PatientWeight) * GRAMS_PER_KG
        dose_bq = float(drug.RadionuclideTotalDose)
        half_life_s = float(drug.RadionuclideHalfLife)
        elapsed_s = _decay_time_s(data, drug)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise _missing(name, str(error)) from error
    if min(weight_g, dose_bq, half_life_s) <= 0 or not 0 <= elapsed_s < 24 * 3600:
        raise _missing(
            name, f"weight {weight_g} g, dose {dose_bq} Bq, half life {half_life_s} s, {elapsed_s} s since injection"
        )
    return weight_g / (dose_bq * 2.0 ** (-elapsed_s / half_life_s))


def _decay_time_s(data: Any, drug: Any) -> float:
    correction = str(data.DecayCorrection)
    if correction == "ADMIN":
        return 0.0
    if correction != "START":
        raise ValueError(f"decay correction {correction!r}")
    scan = _time(str(data.SeriesDate), str(data.SeriesTime))
    acquired = data.get("AcquisitionTime")
    if acquired:
        first = _time(str(data.get("AcquisitionDate") or data.SeriesDate), str(acquired))
        # A series time after the acquisition is that of a later reconstruction, to which nothing was corrected.
        scan = min(scan, first)
    started = drug.get("RadiopharmaceuticalStartDateTime")
    if started:
        injected = _time(str(started)[:8], str(started)[8:])
    else:
        injected = _time(f"{scan:%Y%m%d}", str(drug.RadiopharmaceuticalStartTime))
        if injected > scan:
            injected -= timedelta(days=1)
    return (scan - injected).total_seconds()


def _time(date: str, time: str) -> datetime:
    return datetime.strptime(f"{date}{time.split('.')[0].split('+')[0][:6]:0<6}", "%Y%m%d%H%M%S")  # noqa: DTZ007


def _missing(name: str, found: str) -> DicomError:
    return DicomError(
        f"Expected weight, dose, half life, times and decay correction START or ADMIN in PET of {name}, found: {found}. "
        "Export the series with them, or as SUV.",
        reason="missing_suv_factors",
    )
