"""Whether what a file without units holds can be what its channel says it is."""

from lesionflow.data.hounsfield import require_hu
from lesionflow.data.volume import Volume
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
    require_hu(volume.array, name=name)
    if (lowest := float(volume.array.min())) > SOME_FAT_HU:
        note(
            "no_air_in_ct",
            f"Expected air or fat in the CT of {name}, found nothing below {lowest:g} HU: are its values windowed, scaled, or "
            "stored ones without their offset? They were taken for HU.",
        )
