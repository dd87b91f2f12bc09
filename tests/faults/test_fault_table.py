"""A good study, harmed in one way each: read right, proven by the values and places written by hand, or refused by name.

Faults of single attributes stand in `test_dicom_series.py` and `test_rtstruct.py`; here a study goes through the whole door.
"""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from lesionflow.errors import InputError
from lesionflow.io.dicom.studies import find_studies, read_study
from lesionflow.io.rules import ReadingRules, SeriesRule
from support.dicom_factory import (
    OBLIQUE,
    ORIGIN_MM,
    ROOT,
    SHAPE,
    STUDY_UID,
    affine_by_hand,
    stored_values,
    write_rtstruct,
    write_segmentation,
    write_series,
)

RULES = ReadingRules({"CT": SeriesRule("CT")}, "CT", {"tumor": 1}, (("(?i)gtv.*", "tumor"),))
CORNERS = [(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)]
RIGHT = "read right"


class Study:
    """A good study on disk: five oblique slices and a structure set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.series = write_series(folder / "CT")
        self.structures = write_rtstruct(folder / "RS", self.series, {"GTV": [(1, CORNERS)]})

    def edit(self, slices, **values):
        """Set attributes of some slices; a callable is given the data set and the slice's number."""
        for k in slices:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydicom warns of each fault that we write on purpose
                data = pydicom.dcmread(self.series.paths[k])
                for keyword, value in values.items():
                    if value is None:
                        del data[keyword]
                    else:
                        setattr(data, keyword, value(data, k) if callable(value) else value)
                data.save_as(self.series.paths[k])

    def place(self, k, along_normal_mm=0.0, along_column_mm=0.0):
        """Put slice k elsewhere."""
        position = np.array(ORIGIN_MM) + (3.0 * k + along_normal_mm) * np.array(OBLIQUE[2])
        position += along_column_mm * np.array(OBLIQUE[1])
        self.edit([k], ImagePositionPatient=[f"{v:.8f}" for v in position])

    def outline(self, polygons, **values):
        self.structures = write_rtstruct(self.structures, self.series, {"GTV": polygons}, **values)


ALL = range(5)
FAULTS = {}


def fault(expected):
    def register(change):
        FAULTS[change.__name__.replace("_", " ")] = (change, expected)
        return change

    return register


@fault(RIGHT)
def nothing(study):
    pass


# Slices


@fault("missing_slice")
def a_slice_is_missing(study):
    study.series.paths[2].unlink()


@fault("irregular_spacing")
def slices_are_unevenly_spaced(study):
    study.place(3, along_normal_mm=1.1)


@fault(RIGHT)
def the_whole_study_is_there_twice(study):
    shutil.copytree(study.folder, study.folder / "export (2)")


@fault("duplicate_instance")
def a_slice_is_there_twice_and_not_alike(study):
    shutil.copy(study.series.paths[1], study.folder / "CT" / "copy")
    study.edit([1], RescaleIntercept="-1001")


@fault("duplicate_slice_position")
def a_second_phase_lies_among_them(study):
    for k in ALL:
        data = pydicom.dcmread(study.series.paths[k])
        data.SOPInstanceUID = f"{ROOT}.5.{k}"
        data.save_as(study.folder / "CT" / f"phase{k}")


@fault("gantry_tilt")
def the_gantry_is_tilted(study):
    for k in ALL:
        study.place(k, along_column_mm=0.6 * k)


@fault(RIGHT)
def files_are_named_and_numbered_the_wrong_way_round(study):
    study.edit(ALL, InstanceNumber=lambda data, k: 99 - k)
    for k in ALL:
        study.series.paths[k].rename(study.folder / "CT" / f"z{4 - k}")


@fault(RIGHT)
def instance_numbers_and_slice_locations_are_wrong(study):
    study.edit(ALL, InstanceNumber=1, SliceLocation=7.0)


@fault(RIGHT)
def thickness_and_distance_do_not_say_how_far_apart_slices_are(study):
    study.edit(ALL, SliceThickness="9.0", SpacingBetweenSlices="-4.0")


@fault("mixed_orientation")
def one_slice_is_turned(study):
    study.edit([4], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])


@fault("invalid_orientation")
def rows_and_columns_are_not_perpendicular(study):
    study.edit(ALL, ImageOrientationPatient=[1, 0, 0, 0.5, 0.8, 0])


@fault("mixed_size")
def one_slice_is_smaller(study):
    study.edit([2], Rows=6, PixelData=lambda data, k: data.PixelData[: 6 * 11 * 2])


@fault("mixed_pixel_spacing")
def one_slice_has_other_pixels(study):
    study.edit([4], PixelSpacing=[0.8, 0.6])


@fault("ambiguous_series")
def slices_say_that_they_are_of_two_series(study):
    study.edit([3, 4], SeriesInstanceUID=f"{ROOT}.6")


@fault("mixed_patients")
def one_slice_is_another_patients(study):
    study.edit([4], PatientID="SOMEBODY^ELSE")


@fault("mixed_frame_of_reference")
def one_slice_has_another_frame_of_reference(study):
    study.edit([4], FrameOfReferenceUID=f"{ROOT}.7")


@fault("localizer")
def a_localizer_says_that_it_is_of_the_series(study):
    study.edit([0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])


@fault(RIGHT)
def a_localizer_is_a_series_of_its_own(study):
    write_series(
        study.folder / "scout",
        shape=(1, 7, 11),
        description="scout",
        change=lambda data, k: setattr(data, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    )


@fault("ambiguous_series")
def a_second_reconstruction_is_there(study):
    write_series(study.folder / "bone", description="bone")


# Values


@fault(RIGHT)
def every_slice_has_a_rescale_of_its_own(study):
    """The same HU, stored in other numbers."""

    study.edit(
        ALL,
        RescaleSlope="1",
        RescaleIntercept="-1500",
        PixelRepresentation=0,
        PixelData=lambda data, k: (study.series.stored[k].astype(int) * 2 + 500).astype("<u2").tobytes(),
    )
    study.edit(
        [1],
        RescaleSlope="0.5",
        RescaleIntercept="-1500",
        PixelData=lambda data, k: (study.series.stored[k].astype(int) * 4 + 1000).astype("<u2").tobytes(),
    )


@fault(RIGHT)
def monochrome1(study):
    study.edit(ALL, PhotometricInterpretation="MONOCHROME1")


@fault("missing_rescale")
def nothing_says_what_values_are(study):
    study.edit(ALL, RescaleSlope=None)


@fault("missing_rescale")
def the_slope_is_zero(study):
    study.edit([1], RescaleSlope="0")


@fault("non_finite_voxels")
def the_intercept_is_no_number(study):
    study.edit([1], RescaleIntercept="nan")


@fault("unsupported_ct_units")
def values_are_iodine_and_not_density(study):
    study.edit(ALL, RescaleType="MGML")


@fault("not_grayscale")
def one_slice_is_a_screenshot(study):
    study.edit([1], SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)


@fault("unreadable_pixels")
def pixels_are_cut_off(study):
    study.edit([2], PixelData=lambda data, k: data.PixelData[:60])


# Attributes and files


@fault("missing_geometry")
def no_position(study):
    study.edit([2], ImagePositionPatient=None)


@fault("missing_geometry")
def no_orientation(study):
    study.edit(ALL, ImageOrientationPatient=None)


@fault("missing_geometry")
def pixel_spacing_in_the_imagers_plane_alone(study):
    study.edit(ALL, PixelSpacing=None, ImagerPixelSpacing=[0.8, 0.5])


@fault("missing_geometry")
def a_position_that_is_no_number(study):
    study.edit([2], ImagePositionPatient=["nan", "0", "0"])


@fault("unreadable_file")
def no_study(study):
    study.edit([2], StudyInstanceUID=None)


@fault("unreadable_file")
def no_instance(study):
    study.edit([2], SOPInstanceUID=None)


@fault("unsupported_modality")
def a_modality_that_is_no_image(study):
    study.edit(ALL, Modality="KO")


@fault("unreadable_file")
def an_empty_file_among_the_slices(study):
    (study.folder / "CT" / "00.dcm").touch()


@fault("unreadable_file")
def the_last_slice_is_cut_off_in_its_header(study):
    path = study.series.paths[4]
    path.write_bytes(path.read_bytes()[:300])


@fault("unreadable_file")
def a_page_of_html_in_place_of_a_slice(study):
    study.series.paths[4].write_text("<html><body>404 Not Found</body></html>")


@fault(RIGHT)
def other_files_lie_among_them(study):
    (study.folder / "CT" / "report.pdf").write_bytes(b"%PDF-1.7 ...")
    (study.folder / "CT" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (study.folder / "CT" / "notes.txt").write_text("nothing")


@fault(RIGHT)
def each_slice_has_another_coding(study):
    for k, syntax in enumerate((ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)):
        data = pydicom.dcmread(study.series.paths[k])
        if syntax == ExplicitVRBigEndian:
            data.PixelData = study.series.stored[k].astype(">i2").tobytes()
            data["PixelData"].VR = "OW"
        data.file_meta.TransferSyntaxUID = syntax
        encoding = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
        pydicom.dcmwrite(study.series.paths[k], data, **encoding, force_encoding=True)
    data = pydicom.dcmread(study.series.paths[3])
    data.compress(RLELossless, generate_instance_uid=False)
    data.save_as(study.series.paths[3])


@fault(RIGHT)
def files_have_no_preamble(study):
    for path in study.series.paths:
        path.write_bytes(path.read_bytes()[132:])


@fault(RIGHT)
def every_file_in_a_folder_of_its_own(study):
    for k, path in enumerate(study.series.paths):
        (study.folder / f"{k}").mkdir()
        path.rename(study.folder / f"{k}" / "IM")


# Outlines


@fault("no_outline")
def nobody_outlined_it(study):
    study.structures.unlink()


@fault("outline_of_another_study")
def another_patients_structure_set(study):
    study.outline([(1, CORNERS)], change=lambda data: setattr(data, "PatientID", "SOMEBODY^ELSE"))


@fault("outline_of_another_study")
def a_structure_set_of_another_frame_of_reference(study):
    def other(data):
        data.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = f"{ROOT}.404"

    study.outline([(1, CORNERS)], change=other)


@fault("ambiguous_outlines")
def two_structure_sets(study):
    write_rtstruct(
        study.folder / "RS2",
        study.series,
        {"GTV": [(2, CORNERS)]},
        change=lambda data: setattr(data, "SOPInstanceUID", f"{ROOT}.89"),
    )


@fault(RIGHT)
def the_same_structure_set_twice(study):
    shutil.copy(study.structures, study.folder / "copy of RS")


@fault(RIGHT)
def contours_between_the_slices(study):
    study.outline([(1, CORNERS)], lift_mm=1.4)


@fault("contour_outside_image")
def contours_beyond_the_image(study):
    study.outline([(1, [(0.5, 1.5), (0.5, 40.0), (4.5, 40.0)])])


@fault("contour_outside_image")
def contours_beyond_the_last_slice(study):
    study.outline([(1, CORNERS), (5, CORNERS)])


@fault(RIGHT)
def a_stray_click(study):
    study.outline([(1, CORNERS), (2, CORNERS[:1])])


@fault("degenerate_contour")
def nothing_but_stray_clicks(study):
    study.outline([(1, CORNERS[:1]), (2, CORNERS[:2])])


@fault("open_contour")
def a_line(study):
    def opened(data):
        data.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "OPEN_PLANAR"

    study.outline([(1, CORNERS)], change=opened)


@fault(RIGHT)
def a_contour_is_there_twice(study):
    study.outline([(1, CORNERS), (1, [*CORNERS[2::-1], CORNERS[3]])])


@fault("duplicate_contour")
def a_contour_that_combines_by_exclusive_or_is_there_twice(study):
    def exclusive(data):
        for contour in data.ROIContourSequence[0].ContourSequence:
            contour.ContourGeometricType = "CLOSEDPLANAR_XOR"

    study.outline([(1, CORNERS), (1, CORNERS)], change=exclusive)


@fault(RIGHT)
def a_contour_runs_the_other_way_round_from_another_corner(study):
    study.outline([(1, [*CORNERS[2::-1], CORNERS[3]])])


@fault(RIGHT)
def a_keyhole_joins_two_parts_by_a_line_without_width(study):
    study.outline(
        [(1, [(0.5, 1.5), (0.5, 4.1), (0.5, 6.5), (4.5, 6.5), (4.5, 4.1), (0.5, 4.1), (4.5, 4.1), (4.5, 1.5)])]
    )


@fault("no_matching_outline")
def structures_of_other_names(study):
    study.structures = write_rtstruct(study.structures, study.series, {"BODY": [(1, CORNERS)]})


def segmented(study, **values):
    study.structures.unlink()
    mask = np.zeros(SHAPE, dtype=bool)
    mask[1, 1:5, 2:7] = True
    return write_segmentation(study.folder / "SEG", study.series, {"GTV": mask}, **values)


@fault(RIGHT)
def a_segmentation_upside_down_that_says_so(study):
    segmented(study, flip_rows=True)


@fault("outline_off_grid")
def a_segmentation_between_the_pixels(study):
    def shift(data):
        for group in data.PerFrameFunctionalGroupsSequence:
            plane = group.PlanePositionSequence[0]
            plane.ImagePositionPatient = [f"{float(v) + 0.2:.6f}" for v in plane.ImagePositionPatient]

    segmented(study, change=shift)


@fault("outline_off_grid")
def a_segmentation_of_coarser_pixels(study):
    def coarser(data):
        data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [1.6, 1.0]

    segmented(study, change=coarser)


@fault("outline_of_another_study")
def a_segmentation_of_another_frame_of_reference(study):
    segmented(study, change=lambda data: setattr(data, "FrameOfReferenceUID", f"{ROOT}.404"))


@fault("unreadable_outline")
def a_segmentation_without_frames(study):
    segmented(study, change=lambda data: data.__delitem__("PixelData"))


@fault("no_matching_outline")
def a_segmentation_of_other_structures(study):
    segmented(study, change=lambda data: setattr(data.SegmentSequence[0], "SegmentLabel", "Liver"))


@fault(RIGHT)
def a_segmentation_of_probabilities(study):
    study.structures.unlink()
    shares = np.full(SHAPE, 60)
    shares[1, 1:5, 2:7] = 140
    write_segmentation(study.folder / "SEG", study.series, {"GTV": shares}, kind="FRACTIONAL")


@pytest.mark.parametrize(("change", "expected"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_read_right_or_refused_by_name(tmp_path, change, expected):
    study = Study(tmp_path / "study")
    change(study)
    sources = list(find_studies(tmp_path / "study"))
    if expected == RIGHT:
        (source,) = sources
        read = read_study(source, RULES, name="c-1")
        np.testing.assert_array_equal(read.volumes["CT"].array[0], stored_values() * 2.0 - 1000.0)
        np.testing.assert_allclose(read.volumes["CT"].geometry.affine, affine_by_hand(), atol=1e-6)
        truth = np.zeros(SHAPE, np.uint8)
        truth[1, 1:5, 2:7] = 1
        np.testing.assert_array_equal(read.mask.labels, truth)
        return
    (source,) = [source for source in sources if source.key == STUDY_UID]
    with pytest.raises(InputError) as caught:
        read_study(source, RULES, name="c-1")
    assert caught.value.reason == expected
    assert "c-1" in str(caught.value)
    assert not [word for word in ("PATIENT", "SOMEBODY", "Doe") if word in str(caught.value)]


def test_the_table_is_long_enough():
    assert len(FAULTS) > 60
