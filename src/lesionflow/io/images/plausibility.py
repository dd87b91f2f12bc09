"""Whether what a file without units holds can be what its channel says it is."""

from lesionflow.data.hounsfield import MAX_HU, MIN_HU, hu_fault
from lesionflow.data.volume import Volume
from lesionflow.errors import InputError
from lesionflow.io.notes import note

#: Fat and air are below; an image of a body has some of either, unless it was windowed or shifted.
SOME_FAT_HU = -20.0


def check_values(volume: Volume, modality: str, *, name: str) -> None:
    """Refuse CT that can't be HU, and say it when nothing in it is as light as fat or air.

    Args:
        volume: One channel, as read.
        modality: What it is to be: DICOM's word.
        name: What to call it in messages.

    Raises:
        InputError: `implausible_hu`.
    """
    if modality != "CT":
        return
    lowest, highest = float(volume.array.min()), float(volume.array.max())
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
