"""What was found as a measurement report (DICOM SR, PS3.16 TID 1500): volumes by segment, lesions with their diameters on the images."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import SegmentationStorage, generate_uid

from lesionflow.data.dataset import Target
from lesionflow.data.quantities.target_finding import FoundLesion, PointMm, TargetFinding
from lesionflow.data.volume import Mask
from lesionflow.errors import DicomError
from lesionflow.io.dicom.reading import quiet
from lesionflow.io.dicom.seg import FAMILY, SegUids, seg_uids
from lesionflow.io.dicom.writing.private_text import MAKER
from lesionflow.io.dicom.writing.referred import ReferredSeries
from lesionflow.io.files import replacing_file
from lesionflow.machine.error_words import plain_words

#: Coding scheme of what no public one has a word for (PS3.16 8.1: private ones begin with 99).
OURS = "99LESIONFLOW"
VOLUME, LONG_AXIS, SHORT_AXIS = (
    Code("118565006", "SCT", "Volume"),
    Code("103339001", "SCT", "Long Axis"),
    Code("103340004", "SCT", "Short Axis"),
)
#: By the name of the figure, in the order: voxels, the interval that a volume lies in, the mask as a whole, a lesion. Codes have 16 characters (SH).
FIGURES = {
    "mean_confidence": Code("mean_confidence", OURS, "Mean probability of the voxels"),
    "interval_low": Code("interval_low", OURS, "Lower end of the volume interval"),
    "interval_high": Code("interval_high", OURS, "Upper end of the volume interval"),
    "coverage": Code("coverage", OURS, "Probability that the volume interval holds"),
    "predicted_dice": Code("predicted_dice", OURS, "Predicted Dice"),
    "n_lesions": Code("n_lesions", OURS, "Number of lesions"),
    "confidence": Code("confidence", OURS, "Probability that it is a lesion"),
}
ML, MM, ONE = Code("mL", "UCUM", "mL"), Code("mm", "UCUM", "mm"), Code("1", "UCUM", "no units")
PROCEDURE = Code("363679005", "SCT", "Imaging")
COMMENT = Code("121106", "DCM", "Comment")
#: Lesions that are told of one by one, the largest first: of thousands of specks nobody reads each.
MOST_LESIONS = 100


def write_measurement_report(
    path: Path,
    mask: Mask,
    referred: ReferredSeries,
    targets: tuple[Target, ...],
    findings: Sequence[TargetFinding],
    *,
    version: str,
    model: tuple[str, str],
    bundle_digest: str,
    name: str,
    remark: str = "",
    comments: tuple[str, ...] = (),
    passport: Callable[[Any], None] | None = None,
) -> None:
    """Write what was found of a mask.

    Args:
        path: The file to write.
        mask: Labels on the grid of the reference series.
        referred: The series.
        targets: One segment each of the DICOM SEG that the report refers to, which `write_seg` makes of the same values.
        findings: What was found, one a target.
        version: Model version, as `write_seg` is told it.
        model: Its name and version.
        bundle_digest: Of the model.
        name: What to call the study in messages.
        remark: A word of warning after the series' description.
        comments: All that is to be known beside the figures, a sentence each.
        passport: Puts into the data set what it says of its origin.

    Raises:
        DicomError: When nothing can refer to the series.
        GeometryMismatchError: When the mask does not lie on its grid.
    """
    referred.require_grid_of(mask, name)
    sources = referred.sources()
    seg = seg_uids(mask, sources, targets, version=version)
    try:
        with quiet():
            maker = _Maker(mask, sources, seg, model, bundle_digest)
            report = maker.document(findings, f"Tumor measurements (research use only){remark and f': {remark}'}"[:64])
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        message = f"Expected headers in {name} that a report can refer to, found {plain_words(error)}. Ask for another format, or mend the headers."
        raise DicomError(message, reason="unreferable_images") from error
    report.PatientName = referred.patient_name
    report.SoftwareVersions = version[:64]
    _add_comments(report, comments)
    if passport is not None:
        passport(report)
    with replacing_file(path) as partial:
        report.save_as(partial, enforce_file_format=True)


class _Maker:
    """Makes a report's parts of one study and model."""

    def __init__(
        self, mask: Mask, sources: Sequence[Dataset], seg: SegUids, model: tuple[str, str], bundle_digest: str
    ) -> None:
        self._geometry, self._sources, self._seg = mask.geometry, sources, seg
        self._model, self._digest = model, bundle_digest
        self._algorithm = hd.sr.AlgorithmIdentification(
            name=model[0], version=model[1], parameters=[f"bundle {bundle_digest}"], family=FAMILY, manufacturer=MAKER
        )

    def document(self, findings: Sequence[TargetFinding], description: str) -> Any:
        groups = [group for number, finding in enumerate(findings, start=1) for group in self._groups(number, finding)]
        content = hd.sr.MeasurementReport(
            observation_context=hd.sr.ObservationContext(observer_device_context=self._device()),
            procedure_reported=PROCEDURE,
            imaging_measurements=groups,
            title=codes.DCM.ImagingMeasurementReport,
        )
        uids = [generate_uid(entropy_srcs=[self._seg.instance, what]) for what in ("report", "report's series")]
        report = hd.sr.ComprehensiveSR(
            evidence=[*self._sources, self._segmentation()],
            content=content,
            series_instance_uid=uids[1],
            series_number=9002,
            sop_instance_uid=uids[0],
            instance_number=1,
            manufacturer=MAKER,
            is_complete=True,
        )
        report.SeriesDescription = description
        report.ManufacturerModelName, report.DeviceSerialNumber = "lesionflow segmentation", "0"
        return report

    def _device(self) -> Any:
        name, version = self._model
        attributes = hd.sr.DeviceObserverIdentifyingAttributes(
            uid=generate_uid(entropy_srcs=[self._digest]),
            name=name,
            manufacturer_name=MAKER,
            model_name=f"{name} {version}",
            serial_number=self._digest or None,
        )
        return hd.sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=attributes)

    def _segmentation(self) -> Dataset:
        """Return what the report's list of evidence says of the segmentation."""
        seg = Dataset()
        seg.SOPClassUID, seg.SOPInstanceUID, seg.SeriesInstanceUID = (
            SegmentationStorage,
            self._seg.instance,
            self._seg.series,
        )
        for keyword in (
            "StudyInstanceUID",
            "PatientID",
            "PatientName",
            "PatientBirthDate",
            "PatientSex",
            "AccessionNumber",
        ):
            seg[keyword] = self._sources[0][keyword]
        return seg

    def _groups(self, number: int, finding: TargetFinding) -> Iterator[Any]:
        segment = hd.sr.ReferencedSegment(
            sop_class_uid=SegmentationStorage,
            sop_instance_uid=self._seg.instance,
            segment_number=number,
            source_series=hd.sr.SourceSeriesForSegmentation(str(self._sources[0].SeriesInstanceUID)),
        )
        yield hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            referenced_segment=segment,
            measurements=[
                _figure(VOLUME, finding.volume_ml, ML),
                *(_figure(FIGURES[key], value, unit) for key, value, unit in _figures(finding)),
            ],
            **self._described(finding.name),
        )
        for place, lesion in enumerate(finding.lesions[:MOST_LESIONS], start=1):
            yield hd.sr.MeasurementsAndQualitativeEvaluations(
                measurements=list(self._of_lesion(lesion)), **self._described(finding.name, place)
            )

    def _described(self, target: str, lesion: int = 0) -> dict[str, Any]:
        called = f"{target} lesion {lesion}" if lesion else target
        uid = generate_uid(entropy_srcs=[self._seg.instance, called])
        return {
            "tracking_identifier": hd.sr.TrackingIdentifier(uid=uid, identifier=called),
            "finding_type": codes.SCT.Neoplasm,
            "finding_category": codes.SCT.MorphologicallyAbnormalStructure,
            "algorithm_id": self._algorithm,
        }

    def _of_lesion(self, lesion: FoundLesion) -> Iterator[Any]:
        yield _figure(VOLUME, lesion.volume_ml, ML)
        yield _figure(FIGURES["confidence"], lesion.confidence, ONE)
        if (wide := lesion.diameters) is not None:
            yield _figure(LONG_AXIS, wide.longest_mm, MM, self._line(wide.longest))
            yield _figure(SHORT_AXIS, wide.perpendicular_mm, MM, self._line(wide.perpendicular))

    def _line(self, ends: tuple[PointMm, PointMm]) -> Any:
        """Draw a line on its image: (column, row), in which the first pixel's center is (0.5, 0.5) (PS3.3 C.18.6.1)."""
        index = self._geometry.to_index(np.array(ends))
        place = round(float(index[:, 0].mean()))
        many = len(self._sources) == 1 and int(self._sources[0].get("NumberOfFrames") or 1) > 1
        source = self._sources[0 if many else place]
        image = hd.sr.SourceImageForRegion(
            str(source.SOPClassUID),
            str(source.SOPInstanceUID),
            [_frame_of(source, place, self._geometry)] if many else None,
        )
        points = index[:, [2, 1]] + 0.5
        return hd.sr.CoordinatesForMeasurement(hd.sr.GraphicTypeValues.POLYLINE, points, image)


def _frame_of(source: Dataset, place: int, geometry: Any) -> int:
    """Return the frame, counted from 1, that shows a slice: frames may be stored in any order."""
    shared = source.SharedFunctionalGroupsSequence[0]
    for number, groups in enumerate(source.PerFrameFunctionalGroupsSequence, start=1):
        position = (
            (groups if "PlanePositionSequence" in groups else shared).PlanePositionSequence[0].ImagePositionPatient
        )
        if round(float(geometry.to_index([float(value) for value in position])[0])) == place:
            return number
    raise ValueError("no frame where a lesion lies")


def _figures(finding: TargetFinding) -> Iterator[tuple[str, float, Code]]:
    if finding.mean_probability is not None:
        yield "mean_confidence", finding.mean_probability, ONE
    if (interval := finding.interval) is not None:
        yield "interval_low", interval.low_ml, ML
        yield "interval_high", interval.high_ml, ML
        yield "coverage", interval.coverage, ONE
    if finding.predicted_dice is not None:
        yield "predicted_dice", finding.predicted_dice.value, ONE
    yield "n_lesions", len(finding.lesions), ONE


def _figure(name: Code, value: float, unit: Code, line: Any = None) -> Any:
    return hd.sr.Measurement(name, round(value, 4), unit, referenced_coordinates=None if line is None else [line])


def _add_comments(report: Any, comments: tuple[str, ...]) -> None:
    """Put sentences among the report's qualitative evaluations (TID 1500, row 12)."""
    container = hd.sr.ContainerContentItem(
        name=Code("C0034375", "UMLS", "Qualitative Evaluations"),
        relationship_type=hd.sr.RelationshipTypeValues.CONTAINS,
    )
    container.ContentSequence = hd.sr.ContentSequence(
        [hd.sr.TextContentItem(COMMENT, comment, hd.sr.RelationshipTypeValues.CONTAINS) for comment in comments]
    )
    if comments:
        report.ContentSequence.append(container)
