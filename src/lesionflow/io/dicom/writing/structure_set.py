"""A mask as an RT structure set (PS3.3 A.19): contours between voxels' centers, so that which centers lie inside is exactly the mask."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid
from skimage import measure

from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import DicomError, LesionFlowError
from lesionflow.io.dicom.contours.filling import fill_contour
from lesionflow.io.dicom.contours.points import contour_numbers
from lesionflow.io.dicom.reading import READ_FAULTS, quiet, read_dicom_file
from lesionflow.io.dicom.relations.seg_sources import NEEDED, UTF8
from lesionflow.io.dicom.writing.private_text import MAKER
from lesionflow.io.dicom.writing.referred import ReferredSeries
from lesionflow.io.files import replacing_file
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

#: Contours of a slice without holes, and of one with (C.8.8.6.3): of the first every program knows what is inside.
PLAIN, EXCLUSIVE = "CLOSED_PLANAR", "CLOSEDPLANAR_XOR"
#: SOP class of a study, retired, which the module still names (C.8.8.5).
STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
POINTS = Tag("ContourData")
COLORS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167), (240, 228, 66))


def write_structure_set(
    path: Path,
    mask: Mask,
    referred: ReferredSeries,
    targets: tuple[Target, ...],
    *,
    version: str,
    name: str,
    remark: str = "",
    passport: Callable[[Any], None] | None = None,
) -> None:
    """Write a mask as contours, read them back, and let them go only when the mask comes out of them.

    Args:
        path: The file to write.
        mask: Labels on the grid of the reference series.
        referred: The series.
        targets: One structure each, named by the target.
        version: Model version.
        name: What to call the study in messages.
        remark: A word of warning after the series' description.
        passport: Puts into the data set what the mask says of its origin.

    Raises:
        DicomError: When nothing can refer to the series.
        GeometryMismatchError: When the mask does not lie on its grid.
        LesionFlowError: When what was written is not the mask.
    """
    referred.require_grid_of(mask, name)
    sources = referred.sources()
    data = _header(sources, mask, version, f"Tumor outlines (research use only){remark and f': {remark}'}"[:64])
    data.PatientName = referred.patient_name
    _add_structures(data, mask, sources, targets)
    if passport is not None:
        passport(data)
    with replacing_file(path) as partial:
        data.save_as(partial, enforce_file_format=True)
        found = read_structure_regions(read_dicom_file(str(partial), name=name), mask.geometry, name=name)
        if any(not np.array_equal(found[target.name], mask.region(target.labels)) for target in targets):
            raise LesionFlowError(
                f"Expected the outlines of {name} to hold the mask voxel for voxel, found another. They were not let go; please "
                "report this."
            )


def read_structure_regions(data: Any, geometry: Geometry, *, name: str) -> dict[str, NDArray[np.bool_]]:
    """Read every structure onto a grid, contours of a slice by exclusive or, whatever they are called.

    Args:
        data: The RTSTRUCT data set.
        geometry: The grid on whose slices the contours must lie.
        name: What to call it in messages.

    Returns:
        A bool array (slice, row, column) by the structure's name, in their order.

    Raises:
        DicomError: `unreadable_outline` or `contour_off_plane`.
    """
    try:
        with quiet():
            names = {int(roi.ROINumber): str(roi.ROIName) for roi in data.StructureSetROISequence}
            regions = {called: np.zeros(geometry.shape, dtype=bool) for called in names.values()}
            for item in data.ROIContourSequence:
                for contour in item.get("ContourSequence") or ():
                    _fill(regions[names[int(item.ReferencedROINumber)]], contour, geometry, name)
            return regions
    except DicomError:
        raise
    except READ_FAULTS as error:
        blame_machine(error)
        message = f"Expected readable outlines in {name}, found {plain_words(error)}."
        raise DicomError(message, reason="unreadable_outline") from error


def _fill(region: NDArray[np.bool_], contour: Any, geometry: Geometry, name: str) -> None:
    index = geometry.to_index(contour_numbers(contour).reshape(-1, 3))
    place = round(float(index[:, 0].mean()))
    if not 0 <= place < geometry.shape[0] or np.abs(index[:, 0] - place).max() > 0.1:
        message = f"Expected the contours of {name} on the slices that they were written on, found one elsewhere."
        raise DicomError(message, reason="contour_off_plane")
    filled = fill_contour(index[:, 1:], (geometry.shape[1], geometry.shape[2]))
    region[place][filled.box] ^= filled.inside


def _header(sources: Sequence[Any], mask: Mask, version: str, description: str) -> Dataset:
    data, digest = Dataset(), hashlib.sha256(mask.labels.tobytes())
    digest.update("".join(str(s.SOPInstanceUID) for s in sources).encode() + version.encode())
    data.SpecificCharacterSet = UTF8
    for keyword in (*NEEDED, "StudyInstanceUID", "FrameOfReferenceUID", "PositionReferenceIndicator"):
        data[keyword] = sources[0][keyword]
    data.SOPClassUID = RTStructureSetStorage
    data.SOPInstanceUID = generate_uid(entropy_srcs=[digest.hexdigest(), "outlines"])
    data.SeriesInstanceUID = generate_uid(entropy_srcs=[digest.hexdigest(), "outlines' series"])
    data.Modality, data.SeriesNumber, data.InstanceNumber = "RTSTRUCT", 9001, 1
    data.SeriesDescription, data.OperatorsName = description, ""
    data.Manufacturer, data.ManufacturerModelName = MAKER, "lesionflow segmentation"
    data.SoftwareVersions, data.DeviceSerialNumber = version[:64], "0"
    data.StructureSetLabel, data.ApprovalStatus = "TUMOR", "UNAPPROVED"
    now = datetime.now().astimezone()
    data.StructureSetDate, data.StructureSetTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data


def _add_structures(data: Dataset, mask: Mask, sources: Sequence[Any], targets: tuple[Target, ...]) -> None:
    data.ReferencedFrameOfReferenceSequence = Items([_frame(data, sources)])
    rois, contours, observations = [], [], []
    for number, target in enumerate(targets, 1):
        rois.append(
            _item(
                ROINumber=number,
                ReferencedFrameOfReferenceUID=data.FrameOfReferenceUID,
                ROIName=target.name,
                ROIGenerationAlgorithm="AUTOMATIC",
            )
        )
        drawn = list(_contours(mask.region(target.labels), mask.geometry, sources))
        roi = _item(ROIDisplayColor=list(COLORS[(number - 1) % len(COLORS)]), ReferencedROINumber=number)
        if drawn:
            roi.ContourSequence = Items(drawn)
        contours.append(roi)
        observations.append(
            _item(ObservationNumber=number, ReferencedROINumber=number, RTROIInterpretedType="GTV", ROIInterpreter="")
        )
    data.StructureSetROISequence = Items(rois)
    data.ROIContourSequence = Items(contours)
    data.RTROIObservationsSequence = Items(observations)


def _frame(data: Dataset, sources: Sequence[Any]) -> Dataset:
    series = _item(SeriesInstanceUID=sources[0].SeriesInstanceUID)
    series.ContourImageSequence = Items([_image(source) for source in sources])
    study = _item(ReferencedSOPClassUID=STUDY_CLASS, ReferencedSOPInstanceUID=data.StudyInstanceUID)
    study.RTReferencedSeriesSequence = Items([series])
    frame = _item(FrameOfReferenceUID=data.FrameOfReferenceUID)
    frame.RTReferencedStudySequence = Items([study])
    return frame


def _contours(region: NDArray[np.bool_], geometry: Geometry, sources: Sequence[Any]) -> Iterator[Dataset]:
    """Yield the contours of a region, through the middles between a center inside and one outside."""
    for place in np.flatnonzero(region.any(axis=(1, 2))):
        lines = measure.find_contours(np.pad(region[place], 1).astype(np.float32), 0.5)
        kind = PLAIN if measure.euler_number(region[place], connectivity=1) == len(lines) else EXCLUSIVE
        for line in lines:
            corners = line[:-1] - 1
            points = geometry.to_lps(np.column_stack([np.full(len(corners), float(place)), corners]))
            contour = _item(ContourGeometricType=kind, NumberOfContourPoints=len(points))
            # A multi-frame image is one instance.
            contour.ContourImageSequence = Items([_image(sources[int(place) if len(sources) > 1 else 0])])
            # As bytes: pydicom would check each of the many thousand numbers by itself.
            text = "\\".join(f"{value:.8g}" for value in points.ravel()).encode("ascii")
            text += b" " * (len(text) % 2)
            contour[POINTS] = RawDataElement(
                POINTS, "DS", len(text), text, 0, is_implicit_VR=False, is_little_endian=True
            )
            yield contour


def _image(source: Any) -> Dataset:
    return _item(ReferencedSOPClassUID=source.SOPClassUID, ReferencedSOPInstanceUID=source.SOPInstanceUID)


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
