"""DICOM segmentations: read onto a series' grid, and written so that viewers take them (PS3.3 A.51)."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.multival import MultiValue
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, require_same_grid
from lesionflow.errors import DicomError, LesionFlowError
from lesionflow.io.dicom.pixel_data import decode
from lesionflow.io.dicom.reading import READ_FAULTS, quiet, read_dicom_file
from lesionflow.io.dicom.series import read_headers
from lesionflow.io.files import replacing_file
from lesionflow.io.labels import unite
from lesionflow.io.rules import ReadingRules

#: How far a segmentation's pixels may lie from the series', in pixels.
OFF_GRID_PIXELS = 0.1
#: Frames of a slice and segment each: 512 x 512 x 400 of ten segments.
MAX_PIXELS = 1 << 30
#: Longest values of the types of text that patient and study are told in (PS3.5 6.2); longer ones are seen in real studies.
LONGEST = {"SH": 16, "CS": 16, "LO": 64, "ST": 1024, "LT": 10240}
#: Groups of those attributes, of which a segmentation repeats what its images say.
REPEATED_GROUPS = (0x0008, 0x0010, 0x0012, 0x0020)
#: What every object says of patient and study, if only that it is not known (type 2; PS3.3 C.7.1.1 and C.7.2.1).
NEEDED = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
)
FAMILY = codes.DCM.ArtificialIntelligence
MAKER = "lesionflow"
#: Of the series, which lists of series show.
DESCRIPTION = "Tumor segmentation (research use only)"


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
        DicomError: `no_matching_outline`, `outline_of_another_study`, `outline_off_grid` or `unreadable_outline`.
    """
    try:
        return _read(data, geometry, frame_of_reference, rules, name)
    except DicomError:
        raise
    except READ_FAULTS as error:
        raise DicomError(
            f"Expected a readable segmentation in {name}, found {type(error).__name__}: {error!s:.150}. Export it again.",
            reason="unreadable_outline",
        ) from error


def _read(data: Any, geometry: Geometry, frame_of_reference: str, rules: ReadingRules, name: str) -> Mask:
    with quiet():
        if str(data.get("FrameOfReferenceUID") or "") != frame_of_reference:
            _refuse(
                "outline_of_another_study",
                f"Expected a segmentation in the frame of reference of the images of {name}, found another.",
            )
        numbers = {int(s.SegmentNumber): rules.label_of(str(s.SegmentLabel)) for s in data.SegmentSequence}
        if not any(label is not None for label in numbers.values()):
            names = ", ".join(sorted(str(s.SegmentLabel) for s in data.SegmentSequence))
            _refuse(
                "no_matching_outline",
                f"Expected a segment that ingest.outlines names in {name}, found {names}. Add a rule.",
            )
        return unite(_parts(data, geometry, numbers, name), geometry, rules)


def write_seg(
    path: Path,
    mask: Mask,
    reference_files: tuple[str, ...],
    targets: tuple[Target, ...],
    *,
    version: str,
    name: str,
    remark: str = "",
    comments: tuple[str, ...] = (),
) -> None:
    """Write a mask as a binary DICOM SEG, read it back, and let it go only when every voxel lies where it should.

    Args:
        path: The file to write.
        mask: Labels on the grid of the reference series.
        reference_files: The series' files, in slice order.
        targets: One segment each, named by the target.
        version: Model version, for the algorithm identification.
        name: What to call the study in messages.
        remark: A word of warning after the series' description, where viewers show it.
        comments: All that is to be known of the mask, for the image's comments.

    Raises:
        DicomError: When the reference series can't be read.
        GeometryMismatchError: When the mask does not lie on its grid.
        LesionFlowError: When what was written is not the mask.
    """
    series = read_headers(reference_files, name=name)
    require_same_grid(series.geometry, mask.geometry, f"Mask and series of {name}")
    with replacing_file(path) as partial:
        _save(partial, mask, series.data, targets, version, remark, comments)
        _require_equal(partial, mask, series.frame_of_reference, targets, name)


def read_version(data: Any) -> str:
    """Return the model version that `write_seg` wrote into a data set; empty in one of another maker."""
    with quiet():
        return str(data.get("SoftwareVersions") or "") if str(data.get("Manufacturer") or "") == MAKER else ""


def _save(
    path: Path,
    mask: Mask,
    sources: Sequence[Any],
    targets: tuple[Target, ...],
    version: str,
    remark: str,
    comments: tuple[str, ...],
) -> None:
    patient_name = _make_legal(sources[0])
    frames = _frames(mask, sources, targets)
    digest = hashlib.sha256(frames.data)
    digest.update("".join(str(s.SOPInstanceUID) for s in sources).encode() + version.encode())
    seg = hd.seg.Segmentation(
        source_images=list(sources),
        pixel_array=frames,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(number, target, version) for number, target in enumerate(targets, start=1)],
        series_instance_uid=generate_uid(entropy_srcs=[digest.hexdigest(), "series"]),
        series_number=9000,
        sop_instance_uid=generate_uid(entropy_srcs=[digest.hexdigest(), "instance"]),
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
    seg.PatientName = patient_name
    if comments:
        # PS3.3 C.7.6.1: of the General Image module, which segmentations have.
        seg.ImageComments = "\r\n".join(comments)[: LONGEST["LT"]]
    seg.save_as(path, enforce_file_format=True)


def _frames(mask: Mask, sources: Sequence[Any], targets: tuple[Target, ...]) -> NDArray[np.uint8]:
    """Return 0/1 of (source frame, row, column, target)."""
    order = _slices_of(sources, mask.geometry)
    frames = np.empty((*mask.labels.shape, len(targets)), dtype=np.uint8)
    for number, target in enumerate(targets):
        region = mask.region(target.labels)
        for frame, index in zip(frames, order, strict=True):
            frame[..., number] = region[index]
    return frames


def _make_legal(data: Any) -> Any:
    """Make legal what highdicom repeats of an image: add what is missing, cut what is too long; return the patient's name.

    In the image, the end of the name's first component is marked for the time being: highdicom takes one without a caret for
    a mistake, though PS3.5 6.2.1 allows it.
    """
    with quiet():
        for keyword in NEEDED:
            if keyword not in data:
                setattr(data, keyword, "")
        tags = list(data.keys())
        for element in (data[tag] for tag in tags if tag.group in REPEATED_GROUPS):
            if (longest := LONGEST.get(element.VR)) and any(len(text) > longest for text in _texts(element.value)):
                cut = [text[:longest].rstrip() for text in _texts(element.value)]
                element.value = cut[0] if len(cut) == 1 else cut
        name = data.PatientName
        if name and "^" not in str(name):
            data.PatientName = f"{name}^"
    return name


def _texts(value: Any) -> list[str]:
    return [str(text) for text in value] if isinstance(value, (list, MultiValue)) else [str(value or "")]


def _slices_of(sources: Sequence[Any], geometry: Geometry) -> list[int]:
    """Return the slice that each source frame shows: highdicom takes the frames of a multi-frame image as they are stored."""
    if "PerFrameFunctionalGroupsSequence" not in sources[0]:
        return list(range(geometry.shape[0]))
    groups, shared = sources[0].PerFrameFunctionalGroupsSequence, sources[0].SharedFunctionalGroupsSequence[0]
    positions = [_group(g, shared, "PlanePositionSequence").ImagePositionPatient for g in groups]
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
    for target in targets:
        rules = ReadingRules({}, "", {target.name: 1}, ((_literal(target.name), target.name),))
        back = read_segments(data, mask.geometry, frame_of_reference, rules, name=name)
        if not np.array_equal(back.labels == 1, mask.region(target.labels)):
            raise LesionFlowError(
                f"Expected the DICOM SEG of {name} to hold the mask of {target.name} voxel for voxel, found another. It was "
                "not let go; please report this."
            )


def _literal(text: str) -> str:
    return "".join(c if c.isalnum() else f"\\{c}" for c in text)


def _parts(
    data: Any, geometry: Geometry, numbers: dict[int, int | None], name: str
) -> list[tuple[int, NDArray[np.bool_]]]:
    if int(data.get("NumberOfFrames") or 1) * int(data.Rows) * int(data.Columns) > MAX_PIXELS:
        _refuse("oversized_image", f"Expected at most {MAX_PIXELS} pixels in the segmentation of {name}, found more.")
    pixels = decode(data)
    frames = pixels[None] if pixels.ndim == 2 else pixels
    shared = data.SharedFunctionalGroupsSequence[0]
    parts = {label: np.zeros(geometry.shape, dtype=bool) for label in numbers.values() if label is not None}
    for frame, groups in zip(frames, data.PerFrameFunctionalGroupsSequence, strict=True):
        for label, inside in _labelled(data, frame, groups, shared, numbers):
            if inside.any():
                corner, steps = _frame_index(groups, shared, geometry, frame.shape, name)
                places = corner + np.argwhere(inside) @ steps
                if (places < 0).any() or (places >= np.asarray(geometry.shape)).any():
                    _refuse(
                        "outline_off_grid",
                        f"Expected the segmentation inside the images of {name}, found voxels beyond them.",
                    )
                parts[label][tuple(places.T)] = True
    return list(parts.items())


def _labelled(
    data: Any, frame: NDArray[Any], groups: Any, shared: Any, numbers: dict[int, int | None]
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield label and pixels of what a frame holds: one segment, or, of type LABELMAP, any."""
    kind = str(data.get("SegmentationType") or "BINARY")
    if kind == "LABELMAP":
        for number, label in numbers.items():
            if label is not None:
                yield label, frame == number
        return
    label = numbers[int(_group(groups, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber)]
    threshold = float(data.MaximumFractionalValue) / 2.0 if kind == "FRACTIONAL" else 1.0
    if label is not None:
        yield label, frame >= threshold


def _frame_index(
    groups: Any, shared: Any, geometry: Geometry, shape: tuple[int, ...], name: str
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the grid index of a frame's first pixel, and the index steps (2, 3) along its rows and columns."""
    position = np.array([float(v) for v in _group(groups, shared, "PlanePositionSequence").ImagePositionPatient])
    cosines = np.array([float(v) for v in _group(groups, shared, "PlaneOrientationSequence").ImageOrientationPatient])
    row_mm, column_mm = (float(v) for v in _group(groups, shared, "PixelMeasuresSequence").PixelSpacing)
    along_row, along_column = cosines.reshape(2, 3)
    corner = geometry.to_index(position)
    steps = geometry.to_index(position + np.stack([along_column * row_mm, along_row * column_mm])) - corner
    first, whole = np.rint(corner), np.rint(steps)
    if np.abs(whole).sum() != 2 or np.abs(whole).sum(axis=0).max() != 1:
        _refuse("outline_off_grid", f"Expected pixels of the same size as the images of {name}, found others.")
    # An error of the steps grows over the frame: it is what the pixel furthest from the first is off by.
    drift = np.abs((steps - whole).T @ (np.asarray(shape) - 1.0)).max()
    if max(np.abs(corner - first).max(), drift) > OFF_GRID_PIXELS:
        _refuse(
            "outline_off_grid",
            f"Expected the segmentation on the pixels of the images of {name}, found it between them. Segment this series.",
        )
    return first.astype(np.intp), whole.astype(np.intp)


def _group(groups: Any, shared: Any, keyword: str) -> Any:
    return (groups.get(keyword) or shared.get(keyword))[0]


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
