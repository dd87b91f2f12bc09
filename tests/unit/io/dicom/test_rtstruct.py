import copy
import unicodedata
import warnings

import numpy as np
import pydicom
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.errors import DicomError
from lesionflow.io.dicom.rtstruct import read_structures, referenced_series
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules, SeriesRule
from support.dicom_factory import SHAPE

RULES = ReadingRules(
    {"CT": SeriesRule("CT")}, "CT", {"tumor": 1, "node": 2}, (("(?i)gtv.*", "tumor"), ("node", "node"))
)
CORNERS = [(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)]


def read(path, series):
    geometry = Geometry(SHAPE, series.affine_by_hand)
    return read_structures(pydicom.dcmread(path), geometry, series.frame_uid, RULES, name="c-1").labels


def square(k, value=1):
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[k, 1:5, 2:7] = value
    return labels


def test_contours_of_an_oblique_series_fill_the_centers_inside(dicom_factory, structure_factory):
    series = dicom_factory()
    np.testing.assert_array_equal(read(structure_factory(series, {"GTV 1": [(3, CORNERS)]}), series), square(3))


def test_structures_of_one_label_unite_and_contours_of_one_structure_exclude(dicom_factory, structure_factory):
    series = dicom_factory()
    hole = [(1.5, 2.5), (1.5, 4.5), (3.5, 4.5), (3.5, 2.5)]
    path = structure_factory(
        series, {"GTV a": [(1, CORNERS), (1, hole)], "GTV b": [(2, CORNERS)], "gtv c": [(2, CORNERS)]}
    )
    expected = square(1) + square(2)
    expected[1, 2:4, 3:5] = 0
    np.testing.assert_array_equal(read(path, series), expected)


@pytest.mark.parametrize("names", [("GTV", "node"), ("node", "GTV")])
def test_the_later_label_wins_where_structures_overlap_whatever_their_order(dicom_factory, structure_factory, names):
    series = dicom_factory()
    inner = [(1.5, 2.5), (1.5, 9.5), (3.5, 9.5), (3.5, 2.5)]
    polygons = {"GTV": [(1, CORNERS)], "node": [(1, inner)]}
    expected = square(1)
    expected[1, 2:4, 3:10] = 2
    path = structure_factory(series, {name: polygons[name] for name in names})
    np.testing.assert_array_equal(read(path, series), expected)


def test_a_contour_a_little_off_its_slice_belongs_to_it(dicom_factory, structure_factory):
    series = dicom_factory()
    path = structure_factory(series, {"GTV": [(3, CORNERS)]}, lift_mm=0.6)
    np.testing.assert_array_equal(read(path, series), square(3))


def test_a_structure_without_contours_says_that_nothing_is_there(dicom_factory, structure_factory):
    series = dicom_factory()
    assert not read(structure_factory(series, {"BODY": [(1, CORNERS)], "GTV_Mass 0": []}), series).any()


def test_names_are_compared_without_the_spaces_around_them(dicom_factory, structure_factory):
    series = dicom_factory()
    np.testing.assert_array_equal(read(structure_factory(series, {" node ": [(0, CORNERS)]}), series), square(0, 2))


def test_a_structures_frame_that_the_set_does_not_declare_names_nothing(dicom_factory, structure_factory):
    def undeclared(data):
        data.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.404"

    series = dicom_factory()
    path = structure_factory(series, {"GTV": [(3, CORNERS)]}, change=undeclared)
    np.testing.assert_array_equal(read(path, series), square(3))


def test_the_series_that_it_was_drawn_on_is_named(dicom_factory, structure_factory):
    series = dicom_factory()
    assert referenced_series(pydicom.dcmread(structure_factory(series, {"GTV": []}))) == {series.series_uid}


def first_contour(**values):
    def change(data):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of each fault that we write on purpose
            for keyword, value in values.items():
                setattr(data.ROIContourSequence[0].ContourSequence[0], keyword, value)

    return change


def other_frame(data):
    data.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = "1.2.404"


def without(keyword):
    return lambda data: delattr(data, keyword)


def turned(data):
    """Keep the contour's middle, but turn it out of the plane of the slice."""
    contour = data.ROIContourSequence[0].ContourSequence[0]
    points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
    middle = points.mean(axis=0)
    contour.ContourData = [f"{v:.5f}" for v in (middle + (points - middle)[:, [2, 0, 1]] * 3).ravel()]


OUTSIDE = [(3, [(0.5, 1.5), (0.5, 40.0), (4.5, 40.0)])]
FAULTS = {
    "another frame of reference": ({}, other_frame, "outline_of_another_study"),
    "no structure of that name": ({"rois": {"BODY": [(1, CORNERS)]}}, None, "no_matching_outline"),
    "out of the plane": ({}, turned, "contour_off_plane"),
    "beyond the columns": ({"rois": {"GTV": OUTSIDE}}, None, "contour_outside_image"),
    "beyond the slices": ({"rois": {"GTV": [(5, CORNERS)]}}, None, "contour_outside_image"),
    "before the slices": ({"rois": {"GTV": [(-1, CORNERS)]}}, None, "contour_outside_image"),
    "open": ({}, first_contour(ContourGeometricType="OPEN_PLANAR"), "open_contour"),
    "a point": ({}, first_contour(ContourGeometricType="POINT"), "open_contour"),
    "of no type": ({}, first_contour(ContourGeometricType=""), "open_contour"),
    "two corners": ({"rois": {"GTV": [(1, CORNERS[:2])]}}, None, "degenerate_contour"),
    "one corner three times": ({"rois": {"GTV": [(1, CORNERS[:1] * 3)]}}, None, "degenerate_contour"),
    "ten numbers": ({}, first_contour(ContourData=[1.0] * 10), "degenerate_contour"),
    "no numbers": ({}, first_contour(ContourData=None), "truncated_contour"),
    "NaN": ({}, first_contour(ContourData=["nan"] * 9), "degenerate_contour"),
    "words": ({}, lambda d: d.ROIContourSequence[0].__setattr__("ReferencedROINumber", None), "unreadable_outline"),
    "no structures": ({}, without("StructureSetROISequence"), "unreadable_outline"),
}


@pytest.mark.parametrize(("values", "change", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_structure_set_is_refused_by_name(dicom_factory, structure_factory, values, change, reason):
    series = dicom_factory()
    values = {"rois": {"GTV": [(1, CORNERS)]}, **values}
    path = structure_factory(series, values.pop("rois"), change=change, **values)
    with pytest.raises(DicomError) as caught:
        read(path, series)
    assert caught.value.reason == reason
    assert "c-1" in str(caught.value)


def told(path, series, rules=RULES):
    """The labels, and the codes of what is said of them."""
    with collected() as notes:
        geometry = Geometry(SHAPE, series.affine_by_hand)
        labels = read_structures(pydicom.dcmread(path), geometry, series.frame_uid, rules, name="c-1").labels
    assert all("c-1" in note.message for note in notes)
    return labels, [note.code for note in notes]


def test_a_good_set_needs_no_words(dicom_factory, structure_factory):
    series = dicom_factory()
    labels, codes = told(structure_factory(series, {"GTV": [(1, CORNERS), (2, CORNERS)]}), series)
    np.testing.assert_array_equal(labels, square(1) + square(2))
    assert not codes


def test_half_a_slice_off_is_the_nearest_slice(dicom_factory, structure_factory):
    series = dicom_factory()
    labels, codes = told(structure_factory(series, {"GTV": [(1, CORNERS)]}, lift_mm=1.4), series)
    np.testing.assert_array_equal(labels, square(1))
    assert codes == ["contours_between_slices"]


def test_structures_of_one_label_are_united_in_so_many_words(dicom_factory, structure_factory):
    series = dicom_factory()
    labels, codes = told(structure_factory(series, {"GTV a": [(1, CORNERS)], "GTV b": [(1, CORNERS)]}), series)
    np.testing.assert_array_equal(labels, square(1))
    assert codes == ["united_structures"]


def test_what_no_rule_names_is_left_out_in_so_many_words(dicom_factory, structure_factory):
    series = dicom_factory()
    labels, codes = told(structure_factory(series, {"GTV": [(1, CORNERS)], "BODY": [(2, CORNERS)]}), series)
    np.testing.assert_array_equal(labels, square(1))
    assert codes == ["dropped_structure"]


def no_contour_item(data):
    """As RayStation exports an empty structure: its item is left out."""
    del data.ROIContourSequence[1]


@pytest.mark.parametrize("change", [None, no_contour_item])
def test_a_structure_without_contours_beside_a_good_one_is_said(dicom_factory, structure_factory, change):
    series = dicom_factory()
    labels, codes = told(structure_factory(series, {"GTV": [(1, CORNERS)], "node": []}, change=change), series)
    np.testing.assert_array_equal(labels, square(1))
    assert codes == ["empty_structure"]


def test_a_structure_too_small_for_a_voxel_is_said_and_alone_refused(dicom_factory, structure_factory):
    series = dicom_factory()
    speck = [(1.1, 2.1), (1.1, 2.3), (1.3, 2.3)]
    labels, codes = told(structure_factory(series, {"GTV": [(1, CORNERS)], "node": [(2, speck)]}), series)
    np.testing.assert_array_equal(labels, square(1))
    assert codes == ["empty_structure"]
    with pytest.raises(DicomError) as caught:
        read(structure_factory(series, {"node": [(2, speck)]}), series)
    assert caught.value.reason == "outline_without_voxels"


def test_contours_of_one_structure_in_two_items_are_one(dicom_factory, structure_factory):
    """The hole stands in an item of its own."""

    def part(data):
        second = copy.deepcopy(data.ROIContourSequence[0])
        del second.ContourSequence[0]
        del data.ROIContourSequence[0].ContourSequence[1]
        data.ROIContourSequence.append(second)

    series = dicom_factory()
    hole = [(1.5, 2.5), (1.5, 4.5), (3.5, 4.5), (3.5, 2.5)]
    expected = square(1)
    expected[1, 2:4, 3:5] = 0
    path = structure_factory(series, {"GTV": [(1, CORNERS), (1, hole)]}, change=part)
    np.testing.assert_array_equal(read(path, series), expected)


def numbered_alike(data):
    data.StructureSetROISequence[1].ROINumber = 1


@pytest.mark.parametrize("names", [("GTV", "node"), ("GTV", "BODY"), ("BODY", "GTV")])
def test_one_number_for_two_structures_is_refused(dicom_factory, structure_factory, names):
    series = dicom_factory()
    rois = {name: [(k, CORNERS)] for k, name in enumerate(names)}
    with pytest.raises(DicomError) as caught:
        read(structure_factory(series, rois, change=numbered_alike), series)
    assert caught.value.reason == "duplicate_roi_number"


def test_contours_of_no_structure_are_said(dicom_factory, structure_factory):
    def astray(data):
        data.ROIContourSequence[1].ReferencedROINumber = 77

    series = dicom_factory()
    path = structure_factory(series, {"GTV": [(1, CORNERS)], "node": [(2, CORNERS)]}, change=astray)
    labels, codes = told(path, series)
    np.testing.assert_array_equal(labels, square(1))
    assert sorted(codes) == ["dropped_structure", "empty_structure"]


LESION = "L\u00e4sion"
NAMES = {
    "decomposed": "La\u0308sion",
    "full width": "\uff2c\u00e4\uff53\uff49\uff4f\uff4e",
    "a space that does not break": "L\u00e4sion\u00a0",
}


@pytest.mark.parametrize("written", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_the_same_in_any_form_of_unicode(dicom_factory, structure_factory, written, form):
    pattern = unicodedata.normalize(form, LESION)
    rules = ReadingRules({"CT": SeriesRule("CT")}, "CT", {"tumor": 1}, ((pattern, "tumor"),))
    series = dicom_factory()
    path = structure_factory(
        series, {written: [(1, CORNERS)]}, change=lambda data: setattr(data, "SpecificCharacterSet", "ISO_IR 192")
    )
    np.testing.assert_array_equal(told(path, series, rules)[0], square(1))


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        ("ISO_IR 192", LESION.encode()),
        ("ISO_IR 100", LESION.encode("latin-1")),
        ("", LESION.encode()),
        ("", LESION.encode("latin-1")),
    ],
)
def test_names_are_read_in_the_character_set_that_they_are_in(dicom_factory, structure_factory, declared, written):
    series = dicom_factory()
    rules = ReadingRules({"CT": SeriesRule("CT")}, "CT", {"tumor": 1}, ((LESION, "tumor"),))
    path = structure_factory(
        series,
        {"Q" * len(written): [(1, CORNERS)]},
        change=lambda data: setattr(data, "SpecificCharacterSet", declared or None),
    )
    path.write_bytes(path.read_bytes().replace(b"Q" * len(written), written))
    np.testing.assert_array_equal(told(path, series, rules)[0], square(1))
