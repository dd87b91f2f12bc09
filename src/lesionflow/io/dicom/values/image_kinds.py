"""What an image is by its own header, beside its numbers: magnitude or phase, tissue or one material, as measured or packed with loss.

References:
    DICOM PS3.3 C.8.2.1.1.1 (CT Image Type; multi-energy CT), C.8.16.1.4 (Derived Pixel Contrast), C.8.13.3.1.1 (Complex Image Component),
    C.7.6.1.1.5 (Lossy Image Compression).
"""

from collections.abc import Collection, Sequence
from typing import Any

from pydicom.tag import Tag
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

from lesionflow.errors import DicomError
from lesionflow.io.notes import note

#: What is no magnitude of an MR signal, in the words of the standard, Siemens and Philips, and what stands for magnitude beside it.
NO_MAGNITUDE = {"P", "PHASE", "PHASE MAP", "R", "REAL", "I", "IMAGINARY"}
MAGNITUDE = {"M", "MAGNITUDE"}
#: Multi-energy CT whose values say something of one material or of atoms, and no density of the tissue.
NO_DENSITY = {"MAT_SPECIFIC", "MAT_FRACTIONAL", "EFF_ATOMIC_NUM", "ELECTRON_DENSITY"}
#: CT whose HU are others than those of the plain image.
OTHER_HU = {"VMI", "MAT_REMOVED", "MAT_MODIFIED", "MAT_VISUALIZED", "SUBTRACTION"}
#: By tag: of each slice it is asked, and looking words up takes longer than finding that nothing is there.
COMPONENT, LOSSY = Tag("ComplexImageComponent"), Tag("LossyImageCompression")
#: The first two values of the image type say whether it is derived and of a patient (PS3.3 C.7.6.1.1.2).
GENERAL_VALUES = 2
#: Others may or may not lose something.
LOSSY_SYNTAXES = (JPEGBaseline8Bit, JPEGExtended12Bit)


def tell_kind(slices: Sequence[Any], *, name: str) -> None:
    """Refuse a CT that holds no HU of tissue by its image type; say what an image is that is not what its channel usually is.

    Args:
        slices: The data sets of all slices of a series.
        name: What to call the study in messages.

    Raises:
        DicomError: `unsupported_ct_units`.
    """
    modality = str(slices[0].Modality)
    words = {word for data in slices for word in _words(data)}
    if modality == "MR" and (found := words & NO_MAGNITUDE) and not words & MAGNITUDE:
        note(
            "no_magnitude",
            f"Expected the magnitude of the signal in the MR of {name}, found an image of kind {_listed(found)}: it was taken as it is.",
        )
    if modality == "CT":
        _tell_ct(words, name)
    if any(_is_lossy(data) for data in slices):
        note(
            "lossy_compression",
            f"Expected values as they were measured in the {modality} of {name}, found slices that were compressed with loss: they were taken "
            "as they are.",
        )


def _tell_ct(words: Collection[str], name: str) -> None:
    if found := NO_DENSITY.intersection(words):
        raise DicomError(
            f"Expected CT in HU in {name}, found an image of kind {_listed(found)}: of one material or of atoms. Export the series in HU.",
            reason="unsupported_ct_units",
        )
    if found := OTHER_HU.intersection(words):
        note(
            "other_hu",
            f"Expected plain HU in the CT of {name}, found an image of kind {_listed(found)}, whose HU of the same tissue are others: they were "
            "taken as they are.",
        )


def _words(data: Any) -> list[str]:
    """Return what tells the kind of a slice, in capital letters."""
    told = data.get("ImageType") or ()
    values = [told] if isinstance(told, str) else list(told)
    component = data[COMPONENT].value if COMPONENT in data else None
    return [str(value).strip().upper() for value in (*values[GENERAL_VALUES:], *([component] if component else []))]


def _is_lossy(data: Any) -> bool:
    syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
    return (LOSSY in data and str(data[LOSSY].value) == "01") or syntax in LOSSY_SYNTAXES


def _listed(words: Collection[str]) -> str:
    return " and ".join(sorted(words))
