import shutil
import subprocess
import tracemalloc
import warnings
from functools import partial

import highdicom
import numpy as np
import pydicom
import pytest

from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import DicomError, GeometryMismatchError, LesionFlowError
from lesionflow.io.dicom import seg as dicom_seg
from lesionflow.io.dicom.seg import read_regions, read_segments, write_seg
from lesionflow.io.dicom.writing.private_text import add_private_text
from lesionflow.io.dicom.writing.referred import read_referred
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules, SeriesRule
from support.dicom_factory import CORONAL, OBLIQUE, SHAPE

RULES = ReadingRules(
    {"CT": SeriesRule("CT")}, "CT", {"tumor": 1, "node": 2}, (("(?i)gtv.*", "tumor"), ("node", "node"))
)
TARGETS = (Target(name="tumor", labels=(1,)), Target(name="node", labels=(2,)))


def blob(seed=4, shape=SHAPE):
    return np.random.default_rng(seed).random(shape) < 0.3


def read(path, series, geometry=None):
    geometry = geometry or Geometry(SHAPE, series.affine_by_hand)
    return read_segments(pydicom.dcmread(path), geometry, series.frame_uid, RULES, name="c-1").labels


def without_last_frame(data):
    """Take all voxels out of the last frame."""
    bits = np.unpackbits(np.frombuffer(data.PixelData, np.uint8), bitorder="little")
    bits[(data.NumberOfFrames - 1) * data.Rows * data.Columns :] = 0
    data.PixelData = np.packbits(bits, bitorder="little").tobytes()


class TestRead:
    def test_a_frame_twice_counts_once_and_two_unlike_ones_are_refused(self, dicom_factory, segmentation_factory):
        series, mask = dicom_factory(), blob()
        twice = segmentation_factory(series, {"GTV": mask}, slices=[0, 1, 2, 3, 4, 2])
        np.testing.assert_array_equal(read(twice, series), mask)
        unlike = segmentation_factory(series, {"GTV": mask}, slices=[0, 1, 2, 3, 4, 2], change=without_last_frame)
        with pytest.raises(DicomError) as caught:
            read(unlike, series)
        assert caught.value.reason == "duplicate_slice_position"

    def test_segments_of_one_label_are_united_and_that_is_said(self, dicom_factory, segmentation_factory):
        series, mask = dicom_factory(), blob()
        path = segmentation_factory(series, {"GTV": mask, "GTV old": blob(5), "node": mask & False})
        with collected() as notes:
            np.testing.assert_array_equal(read(path, series), mask | blob(5))
        assert [said.code for said in notes] == ["united_structures"]
        assert "GTV, GTV old" in notes[0].message

    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"slices": [4, 1, 2, 0, 3]},
            {"flip_rows": True},
            {"kind": "FRACTIONAL"},
        ],
        ids=["plain", "frames in any order", "rows upside down", "fractional"],
    )
    def test_segments_lie_where_their_frames_say(self, dicom_factory, segmentation_factory, values):
        series, mask = dicom_factory(), blob()
        stored = np.where(mask, 130, 90) if values.get("kind") else mask
        np.testing.assert_array_equal(read(segmentation_factory(series, {"GTV": stored}, **values), series), mask)

    def test_some_slices_and_a_part_of_each_are_enough(self, dicom_factory, segmentation_factory):
        series, mask = dicom_factory(), blob()
        path = segmentation_factory(series, {"GTV": mask}, slices=[1, 3], box=(slice(2, 6), slice(3, 11)))
        expected = np.zeros(SHAPE, dtype=np.uint8)
        expected[1::2, 2:6, 3:11] = mask[1::2, 2:6, 3:11]
        np.testing.assert_array_equal(read(path, series), expected)

    def test_segments_of_one_label_are_united_aloud(self, dicom_factory, segmentation_factory):
        series = dicom_factory()
        with collected() as notes:
            labels = read(segmentation_factory(series, {"GTV": blob(1), "GTV old": blob(2)}), series)
        np.testing.assert_array_equal(labels, blob(1) | blob(2))
        (said,) = [note.message for note in notes if note.code == "united_structures"]
        assert "GTV, GTV old of c-1" in said

    def test_labels_come_by_name_and_other_segments_are_left_out(self, dicom_factory, segmentation_factory):
        series = dicom_factory()
        node, body = blob(1), np.ones(SHAPE, dtype=bool)
        path = segmentation_factory(series, {"BODY": body, "node": node})
        np.testing.assert_array_equal(read(path, series), node * 2)

    @pytest.mark.parametrize("names", [("GTV", "node"), ("node", "GTV")])
    def test_the_later_label_wins_where_segments_overlap_whatever_their_order(
        self, dicom_factory, segmentation_factory, names
    ):
        series, masks = dicom_factory(), {"GTV": blob(1), "node": blob(2)}
        labels = read(segmentation_factory(series, {name: masks[name] for name in names}), series)
        np.testing.assert_array_equal(labels, np.where(masks["node"], 2, masks["GTV"]))

    def test_frames_of_zeros_say_that_nothing_is_there(self, dicom_factory, segmentation_factory):
        series = dicom_factory()
        assert not read(segmentation_factory(series, {"GTV": np.zeros(SHAPE, dtype=bool)}), series).any()

    def test_a_labelmap_is_read(self, dicom_factory, segmentation_factory):
        def labelmap(data):
            data.SegmentationType = "LABELMAP"

        series, mask = dicom_factory(), blob()
        path = segmentation_factory(series, {"GTV": mask.astype(np.uint8)}, kind="FRACTIONAL", change=labelmap)
        np.testing.assert_array_equal(read(path, series), mask)

    def faults():
        def item(data, keyword):
            return data.SharedFunctionalGroupsSequence[0][keyword][0]

        def shifted(data):
            for frame in data.PerFrameFunctionalGroupsSequence:
                position = frame.PlanePositionSequence[0]
                moved = np.array(position.ImagePositionPatient) + 0.25 * np.array(OBLIQUE[0])
                position.ImagePositionPatient = [f"{v:.6f}" for v in moved]

        def beyond(data):
            for frame in data.PerFrameFunctionalGroupsSequence:
                position = frame.PlanePositionSequence[0]
                moved = np.array(position.ImagePositionPatient) + 0.5 * np.array(OBLIQUE[0])
                position.ImagePositionPatient = [f"{v:.6f}" for v in moved]

        return {
            "another frame of reference": (
                lambda d: setattr(d, "FrameOfReferenceUID", "1.2.4"),
                "outline_of_another_study",
            ),
            "no frame of reference": (lambda d: delattr(d, "FrameOfReferenceUID"), "outline_of_another_study"),
            "another name": (lambda d: setattr(d.SegmentSequence[0], "SegmentLabel", "BODY"), "no_matching_outline"),
            "between the pixels": (shifted, "outline_off_grid"),
            "beyond the images": (beyond, "outline_off_grid"),
            "coarser pixels": (
                lambda d: setattr(item(d, "PixelMeasuresSequence"), "PixelSpacing", [1.6, 1.0]),
                "outline_off_grid",
            ),
            "slightly finer pixels": (
                lambda d: setattr(item(d, "PixelMeasuresSequence"), "PixelSpacing", [0.8, 0.48]),
                "outline_off_grid",
            ),
            "turned": (
                lambda d: setattr(
                    item(d, "PlaneOrientationSequence"), "ImageOrientationPatient", [*CORONAL[0], *CORONAL[1]]
                ),
                "outline_off_grid",
            ),
            "no segments": (lambda d: delattr(d, "SegmentSequence"), "unreadable_outline"),
            "no frame groups": (lambda d: delattr(d, "PerFrameFunctionalGroupsSequence"), "unreadable_outline"),
            "pixels cut off": (lambda d: setattr(d, "PixelData", d.PixelData[:8]), "unreadable_outline"),
        }

    @pytest.mark.parametrize(("change", "reason"), faults().values(), ids=faults())
    def test_a_faulty_segmentation_is_refused_by_name(self, dicom_factory, segmentation_factory, change, reason):
        series = dicom_factory()
        path = segmentation_factory(series, {"GTV": np.ones(SHAPE, dtype=bool)}, change=change)
        with pytest.raises(DicomError) as caught:
            read(path, series)
        assert caught.value.reason == reason
        assert "c-1" in str(caught.value)


class TestWrite:
    @pytest.fixture
    def write(self, tmp_path, dicom_factory):
        def run(labels, *, series=None, geometry=None, **values):
            series = series or dicom_factory()
            mask = Mask(labels, geometry or Geometry(labels.shape, series.affine_by_hand))
            files = tuple(map(str, series.paths))
            path = tmp_path / values.pop("file", "mask.dcm")
            write_seg(
                path,
                mask,
                read_referred(files, name="c-1"),
                values.pop("targets", TARGETS),
                version="tumors 3",
                name="c-1",
                **values,
            )
            return path, series

        return run

    @pytest.fixture
    def labels(self):
        return np.random.default_rng(2).integers(0, 3, SHAPE).astype(np.uint8)

    def test_highdicom_reads_back_the_mask_in_patient_space(self, write, labels):
        path, series = write(labels)
        seg = highdicom.seg.segread(path)
        volume = seg.get_volume(combine_segments=True)
        for k, i, j in ((0, 0, 0), (4, 6, 10), (2, 1, 7), (3, 5, 4)):
            position = series.position(k, i, j)
            index = np.rint(volume.map_reference_to_indices(position[None])[0]).astype(int)
            assert volume.array[tuple(index)] == labels[k, i, j]

    def test_it_says_what_viewers_and_readers_ask_for(self, write, labels):
        path, series = write(labels)
        data = pydicom.dcmread(path)
        assert data.SegmentationType == "BINARY"
        assert data.FrameOfReferenceUID == series.frame_uid
        assert (data.PatientID, data.StudyInstanceUID) == (series.patient_id, series.study_uid)
        (referenced,) = data.ReferencedSeriesSequence
        assert referenced.SeriesInstanceUID == series.series_uid
        assert {i.ReferencedSOPInstanceUID for i in referenced.ReferencedInstanceSequence} == set(series.instance_uids)
        assert [s.SegmentLabel for s in data.SegmentSequence] == ["tumor", "node"]
        for segment in data.SegmentSequence:
            (category,), (kind,) = (
                segment.SegmentedPropertyCategoryCodeSequence,
                segment.SegmentedPropertyTypeCodeSequence,
            )
            assert (category.CodingSchemeDesignator, category.CodeValue) == ("SCT", "49755003")
            assert (kind.CodingSchemeDesignator, kind.CodeValue) == ("SCT", "108369006")
            (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
            assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("lesionflow", "tumors 3")

    def test_what_real_exports_say_of_a_patient_is_repeated_without_a_warning(self, write, labels, dicom_factory):
        series = dicom_factory()
        for number, path in enumerate(series.paths):
            data = pydicom.dcmread(path)
            # As soft-tissue sarcoma studies of public collections have it: a name of one component, identifiers of 20 letters.
            data.PatientName = "STS_001"
            del data.PatientBirthDate
            for keyword, value in (("StudyID", "study-identifier-001"), ("AccessionNumber", "accession-number-0001")):
                with pytest.warns(UserWarning, match="exceeds the maximum length of 16"):
                    setattr(data, keyword, value)
            data.InstanceNumber = number
            data.save_as(path, enforce_file_format=True)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            path, _ = write(labels, series=series)
        assert [str(warning.message) for warning in told if issubclass(warning.category, UserWarning)] == []
        seg = pydicom.dcmread(path)
        assert seg.PatientName == "STS_001"
        assert (seg.StudyID, seg.AccessionNumber) == ("study-identifier", "accession-number")
        assert seg.PatientBirthDate == ""

    def test_nothing_found_is_a_segmentation_too(self, write):
        path, series = write(np.zeros(SHAPE, dtype=np.uint8))
        assert not pydicom.dcmread(path).pixel_array.any()
        assert pydicom.dcmread(path).ReferencedSeriesSequence[0].SeriesInstanceUID == series.series_uid

    def test_one_target_of_two_may_be_empty(self, write):
        labels = np.zeros(SHAPE, dtype=np.uint8)
        labels[2, 3, 4] = 2
        path, series = write(labels)
        rules = ReadingRules({}, "", {"tumor": 1, "node": 2}, (("tumor", "tumor"), ("node", "node")))
        back = read_segments(
            pydicom.dcmread(path), Geometry(SHAPE, series.affine_by_hand), series.frame_uid, rules, name="c"
        )
        np.testing.assert_array_equal(back.labels, labels)

    def test_regions_may_overlap(self, write, labels):
        targets = (Target(name="whole", labels=(1, 2)), Target(name="core", labels=(2,)))
        path, series = write(labels, targets=targets)
        regions = read_regions(pydicom.dcmread(path), Geometry(SHAPE, series.affine_by_hand), name="c")
        assert {name: region.tolist() for name, region in regions.items()} == {
            "whole": (labels > 0).tolist(),
            "core": (labels == 2).tolist(),
        }
        with pytest.raises(DicomError, match="Expected"):
            read_regions(pydicom.Dataset(), Geometry(SHAPE, series.affine_by_hand), name="c")
        seg = highdicom.seg.segread(path)
        whole = seg.get_volume(segment_numbers=[1]).array[..., 0]
        assert whole.sum() == np.count_nonzero(labels)

    def test_the_same_mask_has_the_same_uid_and_another_mask_another(self, write, labels, dicom_factory):
        series = dicom_factory()
        uid = [pydicom.dcmread(write(labels, series=series, file=f"{n}.dcm")[0]).SOPInstanceUID for n in "ab"]
        other = pydicom.dcmread(write(2 - labels, series=series, file="c.dcm")[0]).SOPInstanceUID
        assert uid[0] == uid[1] != other

    @pytest.mark.parametrize("content", ["some", "none"])
    def test_dciodvfy_finds_no_error(self, write, labels, content):
        program = shutil.which("dciodvfy")
        if program is None:
            pytest.skip("needs dciodvfy of Debian's dicom3tools")
        passport = partial(add_private_text, text="x" * 3000, short="y" * 1100, software_version="0.3")
        path, _ = write(labels if content == "some" else labels * 0, passport=passport)
        report = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
        lines = (report.stdout + report.stderr).splitlines()
        assert not [line for line in lines if line.startswith("Error")]

    def test_a_mask_on_another_grid_is_refused(self, write, labels):
        with pytest.raises(GeometryMismatchError, match="c-1"):
            write(labels, geometry=Geometry.from_parts(SHAPE, (3.0, 0.8, 0.5)))

    def test_what_does_not_read_back_as_the_mask_is_not_let_go(self, write, labels, monkeypatch, tmp_path):
        written = highdicom.seg.Segmentation

        def mirrored(*args, pixel_array, **values):
            return written(*args, pixel_array=pixel_array[:, :, ::-1], **values)

        monkeypatch.setattr(dicom_seg.hd.seg, "Segmentation", mirrored)
        with pytest.raises(LesionFlowError, match="voxel for voxel"):
            write(labels)
        assert not (tmp_path / "mask.dcm").exists()

    def test_it_takes_a_few_bytes_a_voxel(self, write, dicom_factory):
        series = dicom_factory(shape=(6, 512, 512))
        labels = np.zeros((6, 512, 512), np.uint8)
        labels[2:4, 100:180, 90:150] = 1
        write(labels, series=series, targets=TARGETS[:1])
        tracemalloc.start()
        write(labels, series=series, targets=TARGETS[:1])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # Measured: 5.5; to read the series' voxels again for it took 10.8.
        assert peak < 7 * labels.size
