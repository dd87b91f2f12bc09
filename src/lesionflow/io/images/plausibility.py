"""Whether what a file without units holds can be what its channel says it is."""

import numpy as np

from lesionflow.data.quantities.hounsfield import MAX_HU, MIN_HU, SOME_FAT_HU, hu_fault
from lesionflow.data.quantities.uptake import is_unusual, suv_fault
from lesionflow.data.volume import Volume
from lesionflow.errors import InputError
from lesionflow.io.notes import note


def check_values(volume: Volume, modality: str, *, name: str) -> None:
    """Refuse CT that can't be HU and PET that can't be SUV; say what is seldom, as CT in which nothing is as light as fat or air.

    Args:
        volume: One channel, as read.
        modality: What it is to be: DICOM's word.
        name: What to call it in messages.

    Raises:
        InputError: `implausible_hu`, `implausible_suv`.
    """
    if modality == "CT":
        _check_hu(float(volume.array.min()), float(volume.array.max()), name)
    elif modality == "PT":
        _check_suv(volume, name)


def _check_suv(volume: Volume, name: str) -> None:
    above = volume.array[volume.array > 0]
    mean = float(above.mean(dtype=np.float64)) if above.size else 0.0
    lowest, highest = float(volume.array.min()), float(volume.array.max())
    is_plain = lowest == highest
    if not is_plain and (fault := suv_fault(lowest, highest, mean)):
        raise InputError(
            f"Expected PET in SUV by body weight in {name}, found {lowest:.3g} to {highest:.3g}, {mean:.3g} on the average of what is "
            f"above 0: {fault} Convert the images again.",
            reason="implausible_suv",
        )
    if is_plain or is_unusual(highest, mean):
        note(
            "unusual_suv",
            f"Expected SUV of a body in the PET of {name}, found up to {highest:.3g}, {mean:.3g} on the average of what is above 0.",
        )


def _check_hu(lowest: float, highest: float, name: str) -> None:
    if fault := hu_fault(lowest, highest):
        raise InputError(
            f"Expected CT in HU, {MIN_HU:g} to {MAX_HU:g}, in {name}, found {lowest:g} to {highest:g}: {fault} Convert the images "
            "again.",
            reason="implausible_hu",
        )
    if lowest > SOME_FAT_HU and highest > lowest:
        note(
            "no_air",
            f"Expected air or fat in the CT of {name}, found nothing below {lowest:g} HU: are its values windowed, scaled, or "
            "stored ones without their offset? They were taken for HU.",
        )
