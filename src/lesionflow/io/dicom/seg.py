"""DICOM segmentations: read onto a series' grid, and written so that viewers take them (PS3.3 A.51)."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import DicomError, LesionFlowError
from lesionflow.io.dicom.reading import READ_FAULTS, quiet, read_dicom_file
from lesionflow.io.dicom.relations.seg_sources import LONGEST
from lesionflow.io.dicom.segments.frames import group_of, read_parts
from lesionflow.io.dicom.segments.segment_labels import labels_of, tell_origin
from lesionflow.io.dicom.writing.referred import ReferredSeries
from lesionflow.io.files import replacing_file
from lesionflow.io.labels import tell_dropped, tell_united, unite
from lesionflow.io.rules import ReadingRules
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

FAMILY = codes.DCM.ArtificialIntelligence
MAKER = "lesionflow"
#: Of the series, which lists of series show.
DESCRIPTION = "Tumor segmentation (research use only)"


class SegUids(NamedTuple):
    """What a segmentation is called."""

    series: str
    instance: str


def read_segments(data: Any, geometry: Geometry, frame_of_reference: str, rules: ReadingRules, *, name: str) -> Mask:
    """Read the segments that the rules name.

    Args:
        data: The SEG data set, binary or fractional (a voxel belongs from half of the maximum on).
        geometry: Grid of the series that was segmented.
        frame_of_reference: That series' frame of reference UID.
        rules: Which segment is which label, by the segment's label.
        name: What to call the study in messages.

    Returns:
        The mask on `geometry`.

    Raises:
        DicomError: `no_matching_outline`, `outline_of_another_study`, `outline_off_grid`,
            `duplicate_slice_position` or `unreadable_outline`.
    """
    try:
        return _read(data, geometry, frame_of_reference, rules, name)
    except DicomError:
        raise
    except READ_FAULTS as error:
        blame_machine(error)
        raise DicomError(
            f"Expected a readable segmentation in {name}, found {plain_words(error)}. Export it again.",
            reason="unreadable_outline",
        ) from error


def _read(data: Any, geometry: Geometry, frame_of_reference: str, rules: ReadingRules, name: str) -> Mask:
    with quiet():
        if str(data.get("FrameOfReferenceUID") or "") != frame_of_reference:
            _refuse(
                "outline_of_another_study",
                f"Expected a segmentation in the frame of reference of the images of {name}, found another.",
            )
        segments = {int(s.SegmentNumber): s for s in data.SegmentSequence}
        numbers = labels_of(list(data.SegmentSequence), rules, name)
        if not any(label is not None for label in numbers.values()):
            names = ", ".join(sorted(str(s.SegmentLabel) for s in data.SegmentSequence))
            _refuse(
                "no_matching_outline",
                f"Expected a segment that ingest.outlines names in {name}, found {names}. Add a rule.",
            )
        parts, n_dropped = read_parts(data, geometry, numbers, name)
        called = {number: str(segments[number].SegmentLabel) for number in n_dropped}
        tell_dropped([(called[n], n_dropped[n]) for n in called if not rules.is_unwanted(called[n])], name)
        tell_united(((str(segments[n].SegmentLabel), label) for n, label in numbers.items() if n in segments), name)
        tell_origin(data, [segments[number] for number, label in numbers.items() if label is not None], name)
        return unite(parts, geometry, rules)


def write_seg(
    path: Path,
    mask: Mask,
    referred: ReferredSeries,
    targets: tuple[Target, ...],
    *,
    version: str,
    name: str,
    remark: str = "",
    comments: tuple[str, ...] = (),
    passport: Callable[[Any], None] | None = None,
) -> None:
    """Write a mask as a binary DICOM SEG, read it back, and let it go only when every voxel lies where it should.

    Args:
        path: The file to write.
        mask: Labels on the grid of the reference series.
        referred: The series.
        targets: One segment each, named by the target.
        version: Model version, for the algorithm identification.
        name: What to call the study in messages.
        remark: A word of warning after the series' description, where viewers show it.
        comments: All that is to be known of the mask, for the image's comments.
        passport: Puts into the data set what the mask says of its origin.

    Raises:
        DicomError: When nothing can refer to the series.
        GeometryMismatchError: When the mask does not lie on its grid.
        LesionFlowError: When what was written is not the mask.
    """
    referred.require_grid_of(mask, name)
    with replacing_file(path) as partial:
        _save(partial, mask, referred, targets, version, name, remark, comments, passport)
        _require_equal(partial, mask, referred.frame_of_reference, targets, name)


def seg_uids(mask: Mask, sources: Sequence[Any], targets: tuple[Target, ...], *, version: str) -> SegUids:
    """Return what `write_seg` calls the segmentation of a mask, which follows from voxels, images and model.

    Args:
        mask: The mask.
        sources: Of `as_sources`.
        targets: One segment each.
        version: Model version.
    """
    return _uids(_frames(mask, sources, targets), sources, version)


def read_version(data: Any) -> str:
    """Return the model version that `write_seg` wrote into a data set; empty in one of another maker."""
    with quiet():
        return str(data.get("SoftwareVersions") or "") if str(data.get("Manufacturer") or "") == MAKER else ""


def read_regions(data: Any, geometry: Geometry, *, name: str) -> dict[str, NDArray[np.bool_]]:
    """Read every segment onto a grid, whatever its name.

    Args:
        data: The SEG data set.
        geometry: The grid that its frames must lie on.
        name: What to call it in messages.

    Returns:
        A bool array (slice, row, column) by the segment's label, in their order.

    Raises:
        DicomError: `outline_off_grid`, `unreadable_outline` and others of `read_segments`.
    """
    try:
        with quiet():
            labels = {int(s.SegmentNumber): str(s.SegmentLabel) for s in data.SegmentSequence}
            parts = dict(read_parts(data, geometry, {number: number for number in labels}, name)[0])
            return {label: parts[number] for number, label in labels.items()}
    except DicomError:
        raise
    except READ_FAULTS as error:
        blame_machine(error)
        raise DicomError(
            f"Expected a readable segmentation in {name}, found {plain_words(error)}.",
            reason="unreadable_outline",
        ) from error


def _uids(frames: NDArray[np.uint8], sources: Sequence[Any], version: str) -> SegUids:
    digest = hashlib.sha256(frames.data)
    digest.update("".join(str(s.SOPInstanceUID) for s in sources).encode() + version.encode())
    series, instance = (generate_uid(entropy_srcs=[digest.hexdigest(), what]) for what in ("series", "instance"))
    return SegUids(str(series), str(instance))


def _save(
    path: Path,
    mask: Mask,
    referred: ReferredSeries,
    targets: tuple[Target, ...],
    version: str,
    name: str,
    remark: str,
    comments: tuple[str, ...],
    passport: Callable[[Any], None] | None,
) -> None:
    sources = referred.sources()
    frames = _frames(mask, sources, targets)
    uids = _uids(frames, sources, version)
    seg = _made(
        name,
        source_images=sources,
        pixel_array=frames,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(number, target, version) for number, target in enumerate(targets, start=1)],
        series_instance_uid=uids.series,
        series_number=9000,
        sop_instance_uid=uids.instance,
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name="lesionflow segmentation",
        software_versions=version[:64],
        device_serial_number="0",
        content_label="TUMOR",
        content_description="Tumor segmentation by a trained model",
        series_description=f"{DESCRIPTION}{remark and f': {remark}'}"[: LONGEST["LO"]],
        omit_empty_frames=bool(frames.any()),
    )
    seg.PatientName = referred.patient_name
    if comments:
        # PS3.3 C.7.6.1: of the General Image module, which segmentations have.
        seg.ImageComments = "\r\n".join(comments)[: LONGEST["LT"]]
    if passport is not None:
        passport(seg)
    seg.save_as(path, enforce_file_format=True)


def _made(name: str, **values: Any) -> Any:
    """Make the segmentation; what the headers of the images do not allow is a fault of the study, of memory or disk is not."""
    try:
        with quiet():
            return hd.seg.Segmentation(**values)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise DicomError(
            f"Expected headers in {name} that a segmentation can refer to, found {plain_words(error)}. Ask for "
            "another format, or mend the headers.",
            reason="unreferable_images",
        ) from error


def _frames(mask: Mask, sources: Sequence[Any], targets: tuple[Target, ...]) -> NDArray[np.uint8]:
    """Return 0/1 of (source frame, row, column, target)."""
    order = _slices_of(sources, mask.geometry)
    frames = np.empty((*mask.labels.shape, len(targets)), dtype=np.uint8)
    for number, target in enumerate(targets):
        region = mask.region(target.labels)
        for frame, index in zip(frames, order, strict=True):
            frame[..., number] = region[index]
    return frames


def _slices_of(sources: Sequence[Any], geometry: Geometry) -> list[int]:
    """Return the slice that each source frame shows: highdicom takes the frames of a multi-frame image as they are stored."""
    if "PerFrameFunctionalGroupsSequence" not in sources[0]:
        return list(range(geometry.shape[0]))
    groups, shared = sources[0].PerFrameFunctionalGroupsSequence, sources[0].SharedFunctionalGroupsSequence[0]
    positions = [group_of(g, shared, "PlanePositionSequence").ImagePositionPatient for g in groups]
    return [round(float(geometry.to_index([float(v) for v in position])[0])) for position in positions]


def _describe(number: int, target: Target, version: str) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=target.name,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(name=MAKER, family=FAMILY, version=version[:64]),
        tracking_uid=generate_uid(entropy_srcs=[target.name, version]),
        tracking_id=f"{MAKER} {target.name}"[:64],
    )


def _require_equal(path: Path, mask: Mask, frame_of_reference: str, targets: tuple[Target, ...], name: str) -> None:
    data = read_dicom_file(str(path), name=name)
    same_frame = str(data.FrameOfReferenceUID) == frame_of_reference
    found = dict(read_parts(data, mask.geometry, {n: n for n, _ in enumerate(targets, start=1)}, name)[0])
    for number, target in enumerate(targets, start=1):
        called = str(data.SegmentSequence[number - 1].SegmentLabel)
        if not same_frame or called != target.name or not np.array_equal(found[number], mask.region(target.labels)):
            raise LesionFlowError(
                f"Expected the DICOM SEG of {name} to hold the mask of {target.name} voxel for voxel, found another. It was "
                "not let go; please report this."
            )


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
