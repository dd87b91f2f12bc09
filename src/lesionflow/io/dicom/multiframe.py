"""Enhanced CT, MR and PET: one file of many frames, taken apart into one data set a slice, as older scanners wrote them.

References:
    DICOM PS3.3 C.7.6.16 (Multi-frame Functional Groups), A.38 (Enhanced CT), A.36 (Enhanced MR), A.56 (Enhanced PET).
"""

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from lesionflow.errors import DicomError
from lesionflow.io.dicom.pixel_data import decode
from lesionflow.io.dicom.reading import READ_FAULTS
from lesionflow.io.dicom.values.real_world import mapping_of
from lesionflow.io.dicom.values.stored_bits import require_whole_bits
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

#: Enhanced CT, MR, color MR and PET, and what older writers made of them.
ENHANCED_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.3",
    "1.2.840.10008.5.1.4.1.1.4.4",
    "1.2.840.10008.5.1.4.1.1.130",
    "1.2.840.10008.5.1.4.1.1.128.1",
)
#: What holds for all frames.
COMMON = (
    "SOPClassUID",
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "ImageType",
    "LossyImageCompression",
    "Manufacturer",
    "PatientSex",
    "PatientWeight",
    "TimezoneOffsetFromUTC",
    "DecayCorrectionDateTime",
    "SpecificCharacterSet",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RadiopharmaceuticalInformationSequence",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
)
#: What stands in a functional group of each frame, or of all frames together.
BY_FRAME = (
    ("PlanePositionSequence", ("ImagePositionPatient",)),
    ("PlaneOrientationSequence", ("ImageOrientationPatient",)),
    ("PixelMeasuresSequence", ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices")),
    ("PixelValueTransformationSequence", ("RescaleSlope", "RescaleIntercept", "RescaleType")),
    ("MRImageFrameTypeSequence", ("ComplexImageComponent",)),
)
FRAME_TYPES = ("CTImageFrameTypeSequence", "MRImageFrameTypeSequence", "PETFrameTypeSequence")
#: PET units by their UCUM code, the best first.
PET_UNITS = {"{SUVbw}g/ml": "GML", "g/ml{SUVbw}": "GML", "Bq/ml": "BQML"}
#: What a rescale's type may say of PET (PS3.3 C.8.22.5; older writers' own words).
PET_RESCALES = {"BQML": "BQML", "GML": "GML"}


def is_multiframe(data: Any) -> bool:
    """Tell whether a data set is of a multi-frame class, or holds more than one frame."""
    return str(data.get("SOPClassUID") or "") in ENHANCED_CLASSES or int(data.get("NumberOfFrames") or 1) > 1


def split_frames(data: Any, *, name: str) -> list[Any]:
    """Take a multi-frame data set apart.

    Args:
        data: The whole data set.
        name: What to call the study in messages.

    Returns:
        One data set a frame, in the order stored, with the attributes of a single-frame image and its own pixels.

    Raises:
        DicomError: `multiframe_not_supported` without functional groups; `oversized_image`; `unreadable_pixels`; `contradicting_bits`.
    """
    groups = data.get("PerFrameFunctionalGroupsSequence") or ()
    n_frames = int(data.get("NumberOfFrames") or 1)
    if len(groups) != n_frames:
        _refuse(
            "multiframe_not_supported",
            f"Expected a functional group for each of {n_frames} frames in {name}, found {len(groups)}: where they lie is "
            "unknown. Export the series as single slices.",
        )
    require_whole_bits(data, name=name)
    try:
        pixels = decode(data).reshape(n_frames, int(data.Rows), int(data.Columns), -1)[..., 0]
    except READ_FAULTS as error:
        blame_machine(error)
        message = f"Expected whole pixel data in {name}, found {plain_words(error)}. Export it again."
        raise DicomError(message, reason="unreadable_pixels") from error
    shared = (data.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    return [_frame(data, own, shared, pixels[number], number, name) for number, own in enumerate(groups)]


def _frame(data: Any, own: Any, shared: Any, stored: Any, number: int, name: str) -> Any:
    frame = Dataset()
    frame.file_meta = FileMetaDataset()
    frame.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword in COMMON:
        if keyword in data:
            frame[keyword] = data[keyword]
    frame.SOPInstanceUID = generate_uid(entropy_srcs=[str(data.SOPInstanceUID), str(number)])
    for sequence, keywords in BY_FRAME:
        item = _item(own, shared, sequence)
        for keyword in keywords:
            if keyword in item:
                frame[keyword] = item[keyword]
    for sequence in FRAME_TYPES:
        if "FrameType" in _item(own, shared, sequence):
            frame.ImageType = list(_item(own, shared, sequence).FrameType)
    mappings = own.get("RealWorldValueMappingSequence") or shared.get("RealWorldValueMappingSequence") or []
    if str(data.get("Modality")) == "PT":
        _add_pet(frame, data, mappings, name)
    elif mappings:
        frame.RealWorldValueMappingSequence = list(mappings)
    frame.BitsAllocated = frame.BitsStored = stored.dtype.itemsize * 8
    frame.HighBit, frame.PixelRepresentation = frame.BitsAllocated - 1, int(stored.dtype.kind == "i")
    frame.PixelData = np.ascontiguousarray(stored, dtype=stored.dtype.newbyteorder("<")).tobytes()
    return frame


def _item(own: Any, shared: Any, sequence: str) -> Any:
    return ((own.get(sequence) or shared.get(sequence)) or [Dataset()])[0]


def _add_pet(frame: Any, data: Any, mappings: Sequence[Any], name: str) -> None:
    """Say by the words of single-frame PET what the units are and what was corrected."""
    mapping = mapping_of(mappings, PET_UNITS, name=name)
    if mapping is not None:
        frame.Units = PET_UNITS[mapping.unit]
        # As numbers: the 16 characters of a decimal string would lose digits, or the exponent.
        frame.add_new("RescaleSlope", "FD", mapping.slope)
        frame.add_new("RescaleIntercept", "FD", mapping.intercept)
    else:
        frame.Units = PET_RESCALES.get(str(frame.get("RescaleType") or ""), "")
    corrections = (("DECY", "DecayCorrected"), ("ATTN", "AttenuationCorrected"))
    frame.CorrectedImage = [code for code, keyword in corrections if str(data.get(keyword)) == "YES"]
    if data.get("DecayCorrectionDateTime"):
        frame.DecayCorrection = "START"


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
