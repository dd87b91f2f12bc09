"""What was written and then harmed, each way once: it is told, by what is wrong, and does not leave."""

import dataclasses

import numpy as np
import pydicom
import pytest

from lesionflow.data.volume import Mask
from lesionflow.errors import MisplacedResultError
from lesionflow.prediction.place_check import require_in_place
from lesionflow.prediction.writers import WRITERS
from support.hand_made import findings_of, hand_made_prediction

NAMES = {"seg": "dicom-seg", "rt": "rtstruct", "sr": "dicom-sr"}


@pytest.fixture(scope="module")
def prediction(tmp_path_factory):
    return hand_made_prediction(tmp_path_factory.mktemp("study"))


def written(prediction, tmp_path, kind):
    path = tmp_path / f"{kind}.dcm"
    WRITERS[NAMES[kind]].write(path, prediction)
    return path


@pytest.mark.parametrize("kind", NAMES)
def test_what_was_written_is_in_place(prediction, tmp_path, kind):
    require_in_place(written(prediction, tmp_path, kind), prediction)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_mask_its_files_are_in_place(prediction, tmp_path, kind, seed):
    """Specks that touch by corners, holes, voxels at the border: area by contours is the number of voxels all the same."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 1, 2], size=prediction.segmentation.mask.labels.shape, p=[0.55, 0.25, 0.2]).astype(np.uint8)
    if seed == 0:
        labels[:] = 0
    labels[1] = 0
    mask = Mask(labels, prediction.segmentation.mask.geometry)
    findings = findings_of(mask, prediction.model.bundle.plan.targets)
    other = dataclasses.replace(
        prediction, segmentation=dataclasses.replace(prediction.segmentation, mask=mask, findings=findings)
    )
    require_in_place(written(other, tmp_path, kind), other)


def groups(data):
    return data.PerFrameFunctionalGroupsSequence


def turn_upside_down(data):
    pixels = data.pixel_array[:, ::-1]
    data.PixelData = np.packbits(pixels.ravel(), bitorder="little").tobytes() + b"\0" * (pixels.size // 8 % 2)


def add_a_voxel(data):
    pixels = bytearray(data.PixelData)
    pixels[0] |= 1
    data.PixelData = bytes(pixels)


def exchange_slices(data):
    one, *_, other = groups(data)
    one.PlanePositionSequence, other.PlanePositionSequence = other.PlanePositionSequence, one.PlanePositionSequence


def shift(data):
    for item in groups(data):
        place = item.PlanePositionSequence[0]
        place.ImagePositionPatient = [
            value + step for value, step in zip(place.ImagePositionPatient, (0.1, 0, 0), strict=True)
        ]


def exchange_spacings(data):
    measures = data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.PixelSpacing = measures.PixelSpacing[::-1]


def turn_orientation(data):
    plane = data.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    plane.ImageOrientationPatient = [*plane.ImageOrientationPatient[3:], *plane.ImageOrientationPatient[:3]]


def exchange_labels(data):
    one, other = data.SegmentSequence
    one.SegmentLabel, other.SegmentLabel = other.SegmentLabel, one.SegmentLabel


def drop_a_hole(data):
    contours = data.ROIContourSequence[0].ContourSequence
    del contours[1]


def move_a_contour(data):
    contour = data.ROIContourSequence[1].ContourSequence[0]
    contour.ContourData = [float(value) + 0.05 for value in contour.ContourData]


def drop_a_structure(data):
    del data.StructureSetROISequence[1]
    del data.ROIContourSequence[1]


def exchange_structures(data):
    one, other = data.StructureSetROISequence
    one.ROIName, other.ROIName = other.ROIName, one.ROIName


def change_a_volume(data):
    next(item for item in data.iterall() if item.keyword == "NumericValue").value = "0.5"


def lines(data):
    return [item for item in data.iterall() if item.keyword == "GraphicData"]


def move_a_line(data):
    line = lines(data)[0]
    line.value = [line.value[0] + 1.0, line.value[1], line.value[2] + 1.0, line.value[3]]


def exchange_x_and_y(data):
    line = lines(data)[0]
    x, y, u, v = line.value
    line.value = [y, x, v, u]


def draw_on_another_image(data):
    uids = [item for item in data.iterall() if item.keyword == "ReferencedSOPInstanceUID"]
    uids[-1].value, uids[0].value = uids[0].value, uids[-1].value


HARMS = [
    ("seg", turn_upside_down, "away"), ("seg", add_a_voxel, "voxels instead of"), ("seg", exchange_slices, ""), ("seg", shift, "away"),
    ("seg", exchange_spacings, "away"), ("seg", turn_orientation, ""), ("seg", exchange_labels, "targets core, whole"),
    ("rt", drop_a_hole, "voxels instead of"), ("rt", move_a_contour, ""), ("rt", drop_a_structure, "targets whole"),
    ("rt", exchange_structures, "targets core, whole"), ("sr", change_a_volume, "0.5 ml instead of"), ("sr", move_a_line, "beside it"),
    ("sr", exchange_x_and_y, ""),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "harm", "said"), HARMS, ids=[f"{kind}-{harm.__name__}" for kind, harm, _ in HARMS])
def test_harm_is_told(prediction, tmp_path, kind, harm, said):
    path = written(prediction, tmp_path, kind)
    data = pydicom.dcmread(path)
    harm(data)
    data.save_as(path)
    with pytest.raises(MisplacedResultError, match="It was not given out") as error:
        require_in_place(path, prediction)
    assert said in str(error.value)


def test_a_line_on_another_image_is_told(prediction, tmp_path):
    path = written(prediction, tmp_path, "sr")
    data = pydicom.dcmread(path)
    images = {str(pydicom.dcmread(file).SOPInstanceUID) for file in prediction.study.reference_files}
    drawn = [i for i in data.iterall() if i.keyword == "ReferencedSOPInstanceUID" and str(i.value) in images][-1]
    drawn.value = next(uid for uid in sorted(images) if uid != str(drawn.value))
    data.save_as(path)
    with pytest.raises(MisplacedResultError):
        require_in_place(path, prediction)


@pytest.mark.parametrize("kind", NAMES)
def test_what_a_broken_writer_wrote_does_not_leave(prediction, tmp_path, monkeypatch, kind):
    name = NAMES[kind]
    harm = next(harm for of, harm, _ in HARMS if of == kind)
    good = WRITERS[name]

    def write_wrong(path, made):
        good.write(path, made)
        data = pydicom.dcmread(path)
        harm(data)
        data.save_as(path)

    monkeypatch.setitem(WRITERS, name, dataclasses.replace(good, write=write_wrong))
    with pytest.raises(MisplacedResultError):
        prediction.write(tmp_path / "mask.dcm", name)
    assert list(tmp_path.iterdir()) == []
