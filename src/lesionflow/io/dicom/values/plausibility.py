"""What of a scan's figures can't be, and what is seldom: the first is refused by name, the second said.

References:
    Activities, weights and uptake times of routine: EANM procedure guidelines for tumour imaging, FDG PET/CT, version 2.0
    (doi:10.1007/s00259-014-2961-x), rubidium-82 and small animals beside them; half-lives: Decay Data Evaluation Project (DDEP).
"""

import math
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.quantities.hounsfield import MAX_HU, MIN_HU, MU_MAXIMUM, SOME_FAT_HU, hu_fault
from lesionflow.data.quantities.uptake import SUV_BRIGHTEST, SUV_MAXIMUM
from lesionflow.errors import DicomError
from lesionflow.io.notes import note

#: Possible, usual: (at least, at most).
Bounds = tuple[float, float]
#: A mouse's 1 MBq and a heart's 2 GBq of rubidium; figures in MBq or mCi are far below, kBq of a patient too.
DOSE_BQ: tuple[Bounds, Bounds] = ((1e6, 2e10), (1.5e7, 3e9))
#: Mice to the heaviest people known; grams are above.
WEIGHT_KG: tuple[Bounds, Bounds] = ((0.005, 700.0), (3.0, 250.0))
#: Zirconium-89 of a heavy patient to a mouse's FDG.
DOSE_BQ_PER_KG: tuple[Bounds, Bounds] = ((3e4, 5e9), (1.5e5, 6e7))
#: Rubidium-82 has 76 s, germanium-68 in test objects 271 days.
HALF_LIFE_S: Bounds = (60.0, 1e8)
#: From injection to scan, in half-lives: 20 minutes to 4 hours of fluorine-18.
UPTAKE_HALF_LIVES: Bounds = (0.15, 2.5)
#: Seconds by nuclide, which is told by SNOMED CT or the codes before it (CID 4020).
HALF_LIVES_S = {
    ("77004003", "C-111A1"): 6586.2,  # fluorine-18
    ("40565003", "C-105A1"): 1221.7,  # carbon-11
    ("21576001", "C-107A1"): 597.9,  # nitrogen-13
    ("129504001", "C-B1038"): 122.27,  # oxygen-15
    ("35337001", "C-131A3"): 4062.6,  # gallium-68
    ("79197006", "C-159A2"): 75.5,  # rubidium-82
    ("3932008", "C-127A2"): 45723.0,  # copper-64
    ("63360001", "C-168A4"): 282280.0,  # zirconium-89
    ("40937006", "C-114A5"): 360810.0,  # iodine-124
    ("14691008", "C-162A7"): 230530.0,  # yttrium-90
    ("53315004", "C-128A2"): 2.341e7,  # germanium-68, of test objects
}
#: Scanners round half-lives; those of two nuclides differ by more.
HALF_LIFE_TOLERANCE = 0.05
#: All that the image holds, in parts of what was injected: SUV times volume over weight can't exceed 1 by much.
RECOVERED: tuple[float, float] = (3.0, 1.5)


def require_dose(dose_bq: float, weight_kg: float, *, name: str) -> None:
    """Refuse what no patient or animal was given or weighs.

    Args:
        dose_bq: Activity that was injected.
        weight_kg: Of the patient.
        name: What to call the study in messages.

    Raises:
        DicomError: `implausible_dose` or `implausible_weight`.
    """
    _judge(dose_bq, DOSE_BQ, "dose", "Bq", name)
    _judge(weight_kg, WEIGHT_KG, "weight", "kg", name)
    _judge(dose_bq / weight_kg, DOSE_BQ_PER_KG, "dose", "Bq/kg", name)


def _judge(value: float, bounds: tuple[Bounds, Bounds], what: str, unit: str, name: str) -> None:
    (least, most), (low, high) = bounds
    if not least <= value <= most:
        _refuse(
            f"implausible_{what}",
            f"Expected a {what} of {least:g} to {most:g} {unit} in PET of {name}, found {value:g}: it is of another unit or "
            "mistyped. Mend the header, or export the series as SUV.",
        )
    if not low <= value <= high:
        note(f"unusual_{what}", f"Expected a {what} of {low:g} to {high:g} {unit} in PET of {name}, found {value:g}.")


def require_half_life(half_life_s: float, drug: Any, *, name: str) -> None:
    """Refuse a half-life that is not the nuclide's.

    Args:
        half_life_s: As the header says.
        drug: The item of the radiopharmaceutical information sequence, which may name the nuclide.
        name: What to call the study in messages.

    Raises:
        DicomError: `implausible_half_life`.
    """
    expected = _expected_half_life(drug)
    if not HALF_LIFE_S[0] <= half_life_s <= HALF_LIFE_S[1] or (expected and not _near(half_life_s, expected)):
        _refuse(
            "implausible_half_life",
            f"Expected a half-life of {expected or HALF_LIFE_S[0]:g} s in PET of {name}, found {half_life_s:g}: it is of "
            "another unit or nuclide. Mend the header, or export the series as SUV.",
        )
    if not any(_near(half_life_s, known) for known in HALF_LIVES_S.values()):
        note(
            "unusual_half_life", f"Expected the half-life of a usual nuclide in PET of {name}, found {half_life_s:g} s."
        )


def _near(value: float, expected: float) -> bool:
    return abs(value - expected) <= HALF_LIFE_TOLERANCE * expected


def _expected_half_life(drug: Any) -> float | None:
    """Return the half-life of the nuclide that a code names."""
    codes = {str(item.get("CodeValue") or "") for item in drug.get("RadionuclideCodeSequence") or ()}
    return next((half_life_s for names, half_life_s in HALF_LIVES_S.items() if codes & set(names)), None)


def say_uptake(decay_s: float, half_life_s: float, *, name: str) -> None:
    """Say when a scan began unusually early or late after the injection."""
    if not UPTAKE_HALF_LIVES[0] <= decay_s / half_life_s <= UPTAKE_HALF_LIVES[1]:
        note(
            "unusual_uptake_time",
            f"Expected {UPTAKE_HALF_LIVES[0]:g} to {UPTAKE_HALF_LIVES[1]:g} half-lives from injection to scan in PET of "
            f"{name}, found {decay_s / 60.0:.0f} minutes with a half-life of {half_life_s / 60.0:.0f}.",
        )


def require_suv(suv: NDArray[np.float32], voxel_ml: float, weight_kg: float, *, name: str) -> None:
    """Refuse an SUV image that holds more than was injected, or next to nothing.

    Args:
        suv: SUVbw in g/ml.
        voxel_ml: Volume of one voxel.
        weight_kg: Of the patient; 0 when it is not known.
        name: What to call the study in messages.

    Raises:
        DicomError: `implausible_suv`.
    """
    highest = float(suv.max())
    held = float(suv.sum(dtype=np.float64)) * voxel_ml / (weight_kg * 1000.0) if weight_kg > 0 else 0.0
    if highest > SUV_MAXIMUM[0] or held > RECOVERED[0]:
        _refuse(
            "implausible_suv",
            f"Expected SUV below {SUV_MAXIMUM[0]:g} and no more activity than was injected in PET of {name}, found up to "
            f"{highest:g} and {held:.2g} times the dose: dose, weight, times or slopes are wrong.",
        )
    if highest < SUV_BRIGHTEST[0]:
        _refuse(
            "implausible_suv",
            f"Expected SUV above {SUV_BRIGHTEST[0]:g} somewhere in PET of {name}, found up to {highest:.2g}: units (kBq/ml?), "
            "dose, weight or slopes are wrong, or the image is empty.",
        )
    if highest < SUV_BRIGHTEST[1]:
        note(
            "unusual_suv",
            f"Expected SUV above {SUV_BRIGHTEST[1]:g} somewhere in PET of {name}, found up to {highest:.2g}.",
        )
    if highest > SUV_MAXIMUM[1] or held > RECOVERED[1]:
        note(
            "unusual_suv",
            f"Expected SUV below {SUV_MAXIMUM[1]:g} and less activity than was injected in PET of {name}, found up to "
            f"{highest:g} and {held:.2g} times the dose.",
        )


def require_hu(hu: NDArray[np.float32], *, name: str) -> None:
    """Refuse CT values that are no HU.

    Args:
        hu: The values.
        name: What to call the study in messages.

    Raises:
        DicomError: `implausible_hu`.
    """
    lowest, highest = float(hu.min()), float(hu.max())
    fault = hu_fault(lowest, highest)
    if fault and -1.0 < lowest <= highest < MU_MAXIMUM and np.array_equal(hu, np.rint(hu)):
        # Coefficients are no whole numbers; masks and test objects stored as CT are.
        note(
            "unusual_hu",
            f"Expected HU of tissue in the CT of {name}, found whole numbers {lowest:g} to {highest:g} alone.",
        )
    elif fault:
        _refuse(
            "implausible_hu",
            f"Expected CT in HU, {MIN_HU:g} to {MAX_HU:g}, in {name}, found {lowest:g} to {highest:g}: "
            f"{fault} Export the series in HU.",
        )
    elif lowest > SOME_FAT_HU and not math.isclose(lowest, highest):
        note(
            "no_air",
            f"Expected air or fat in the CT of {name}, found nothing below {lowest:g} HU: is the rescale intercept right?",
        )


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
