from dataclasses import replace

import numpy as np
import pydicom
import pytest

from lesionflow.errors import DicomError
from lesionflow.io.dicom.studies import find_studies, read_study
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules, SeriesRule, SourceStudy
from support.dicom_factory import FRAME_UID, ROOT, SHAPE, write_rtstruct, write_segmentation, write_series

RULES = ReadingRules(
    {"CT": SeriesRule("CT")}, "CT", {"tumor": 1, "node": 2}, (("(?i)gtv_?mass.*", "tumor"), ("node \\d", "node"))
)
PET_RULES = replace(RULES, channels={"CT": SeriesRule("CT"), "PET": SeriesRule("PT")})
SQUARE = [(1, [(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)])]


def read(tmp_path, rules=RULES, **values):
    (source,) = find_studies(tmp_path / "study")
    return read_study(source, rules, name="c-1", **values)


def refusal(tmp_path, rules=RULES):
    with pytest.raises(DicomError) as caught:
        read(tmp_path, rules)
    assert "c-1" in str(caught.value)
    assert "PATIENT" not in str(caught.value)
    return caught.value.reason


def test_a_study_is_its_channels_and_its_outlines(tmp_path, dicom_factory, structure_factory):
    ct = dicom_factory()
    dicom_factory(modality="PT", shape=(3, 4, 6), spacing_mm=(5.0, 4.0, 4.5))
    structure_factory(ct, {"BODY": SQUARE, "GTV_Mass 1": SQUARE})
    study = read(tmp_path, PET_RULES)
    assert list(study.volumes) == ["CT", "PET"]
    assert study.volumes["PET"].geometry.shape == (3, 4, 6)
    np.testing.assert_allclose(study.volumes["CT"].geometry.affine, ct.affine_by_hand, atol=1e-6)
    expected = np.zeros(SHAPE, dtype=np.uint8)
    expected[1, 1:5, 2:7] = 1
    np.testing.assert_array_equal(study.mask.labels, expected)
    assert study.reference_files == tuple(map(str, ct.paths))


def test_without_outlines_wanted_none_are_read(tmp_path, dicom_factory):
    dicom_factory()
    assert read(tmp_path, outlines=False).mask is None


def test_a_study_is_found_with_keys_for_its_pseudonyms(tmp_path, dicom_factory):
    series = dicom_factory()
    (source,) = find_studies(tmp_path / "study")
    assert (source.key, source.patient_key) == (series.study_uid, "PATIENT^7")
    assert sorted(source.files) == sorted(map(str, series.paths))


def test_without_a_patient_id_each_study_is_a_patient_of_its_own(tmp_path, dicom_factory):
    series = dicom_factory(patient_id="")
    (source,) = find_studies(tmp_path / "study")
    assert source.patient_key == series.study_uid


def test_a_localizer_is_passed_over_when_there_is_a_series(tmp_path, dicom_factory):
    def localizer(data, k):
        data.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    wanted = dicom_factory()
    dicom_factory(folder=tmp_path / "study" / "scout", description="scout", change=localizer)
    assert len(read(tmp_path, outlines=False).reference_files) == len(wanted.paths)


def test_series_of_one_modality_are_told_apart_by_description(tmp_path, dicom_factory):
    dicom_factory(folder=tmp_path / "study" / "a", description="Thorax bone")
    soft = dicom_factory(folder=tmp_path / "study" / "b", description="Thorax SOFT")
    rules = replace(RULES, channels={"CT": SeriesRule("CT", "soft")})
    assert read(tmp_path, rules, outlines=False).reference_files == tuple(map(str, soft.paths))
    assert refusal(tmp_path) == "ambiguous_series"


@pytest.mark.parametrize(
    "rule", [SeriesRule("CT", body_part="^abdomen$"), SeriesRule("CT", kernel="B30"), SeriesRule("CT", "", "abd", "f$")]
)
def test_series_of_one_modality_are_told_apart_by_body_part_and_kernel(tmp_path, dicom_factory, rule):
    def says(part, *kernel):
        def change(data, k):
            data.BodyPartExamined, data.ConvolutionKernel = part, list(kernel)

        return change

    dicom_factory(folder=tmp_path / "study" / "a", change=says("CHEST", "B70s"), description="x")
    wanted = dicom_factory(folder=tmp_path / "study" / "b", change=says("ABDOMEN", "B30f"), description="y")
    dicom_factory(folder=tmp_path / "study" / "c", change=says("CHEST", "Br59", "3"), description="z")
    rules = replace(RULES, channels={"CT": rule})
    assert read(tmp_path, rules, outlines=False).reference_files == tuple(map(str, wanted.paths))
    several = replace(RULES, channels={"CT": replace(rule, body_part=".", kernel="B")})
    assert refusal(tmp_path, several) == "ambiguous_series"
    none = replace(RULES, channels={"CT": replace(rule, kernel="H10")})
    assert refusal(tmp_path, none) == "missing_channel"


def test_a_channel_without_a_series_is_refused(tmp_path, dicom_factory):
    dicom_factory()
    assert refusal(tmp_path, PET_RULES) == "missing_channel"


def test_a_study_of_another_modality_is_refused(tmp_path, dicom_factory):
    dicom_factory(change=lambda data, k: setattr(data, "Modality", "US"))
    assert refusal(tmp_path) == "unsupported_modality"


def test_only_a_localizer_is_refused(tmp_path, dicom_factory):
    dicom_factory(change=lambda data, k: setattr(data, "ImageType", ["DERIVED", "SECONDARY", "LOCALIZER"]))
    assert refusal(tmp_path) == "localizer"


def test_two_patients_in_one_study_are_refused(tmp_path, dicom_factory):
    dicom_factory(change=lambda data, k: setattr(data, "PatientID", f"PATIENT {k % 2}"))
    assert refusal(tmp_path) == "mixed_patients"


def test_a_truncated_header_is_refused_also_without_a_scan_before(tmp_path, dicom_factory):
    series = dicom_factory()
    series.paths[1].write_bytes(series.paths[1].read_bytes()[:250])
    assert refusal(tmp_path) == "unreadable_file"
    with pytest.raises(DicomError) as caught:
        read_study(SourceStudy("k", "p", tuple(map(str, series.paths))), RULES, name="c-1", outlines=False)
    assert caught.value.reason == "unreadable_file"


def test_files_of_two_studies_given_as_one_are_refused(tmp_path, dicom_factory):
    one = dicom_factory()
    other = dicom_factory(folder=tmp_path / "other", study_uid=f"{ROOT}.2")
    with pytest.raises(DicomError) as caught:
        read_study(SourceStudy("k", "p", tuple(map(str, one.paths + other.paths))), RULES, name="c-1")
    assert caught.value.reason == "several_studies"


class TestOutlines:
    def test_none_is_refused(self, tmp_path, dicom_factory):
        dicom_factory()
        assert refusal(tmp_path) == "no_outline"

    def test_those_of_another_patient_among_the_images_are_refused(self, tmp_path, dicom_factory):
        dicom_factory()
        other = write_series(tmp_path / "other", patient_id="PATIENT^8", study_uid=f"{ROOT}.2", frame_uid=f"{ROOT}.2.9")
        write_rtstruct(tmp_path / "study" / "RS.dcm", other, {"GTV_Mass": SQUARE})
        assert refusal(tmp_path) == "outline_of_another_study"

    def test_the_patient_alone_makes_them_anothers(self, tmp_path, dicom_factory, structure_factory):
        series = dicom_factory()
        structure_factory(series, {"GTV_Mass": SQUARE}, change=lambda data: setattr(data, "PatientID", "PATIENT^8"))
        assert refusal(tmp_path) == "outline_of_another_study"

    def test_the_frame_of_reference_alone_makes_them_anothers(self, tmp_path, dicom_factory, structure_factory):
        series = dicom_factory()
        structure_factory(replace(series, frame_uid="1.2.3"), {"GTV_Mass": SQUARE})
        assert refusal(tmp_path) == "outline_of_another_study"

    def test_outlines_alone_are_refused(self, tmp_path, dicom_factory, structure_factory):
        structure_factory(dicom_factory(folder=tmp_path / "elsewhere"), {"GTV_Mass": SQUARE})
        assert refusal(tmp_path) == "outline_of_another_study"

    def test_each_series_may_have_its_own_and_the_references_are_taken(self, tmp_path, dicom_factory):
        ct = dicom_factory()
        pet = dicom_factory(modality="PT")
        write_rtstruct(tmp_path / "study" / "PT" / "RS", pet, {"GTV_Mass": [(2, SQUARE[0][1])]})
        write_rtstruct(
            tmp_path / "study" / "CT" / "RS",
            ct,
            {"GTV_Mass": SQUARE},
            change=lambda d: setattr(d, "SOPInstanceUID", "1.2.3"),
        )
        np.testing.assert_array_equal(np.unique(np.argwhere(read(tmp_path, PET_RULES).mask.labels)[:, 0]), [1])

    def test_only_another_series_has_them(self, tmp_path, dicom_factory, structure_factory):
        dicom_factory()
        structure_factory(dicom_factory(modality="PT"), {"GTV_Mass": SQUARE})
        with pytest.raises(
            DicomError, match=r"reference series of .* \(CT\).*that of PET\. Set ingest\.reference_channel"
        ) as caught:
            read(tmp_path, PET_RULES)
        assert caught.value.reason == "outline_of_another_study"

    def test_a_series_that_is_not_here_says_nothing_when_the_frame_fits(
        self, tmp_path, dicom_factory, structure_factory
    ):
        series = dicom_factory()
        structure_factory(replace(series, series_uid="1.2.3"), {"GTV_Mass": SQUARE})
        assert read(tmp_path).mask.labels.sum() == 20
        assert series.frame_uid == FRAME_UID

    def test_two_with_the_wanted_structure_are_refused(
        self, tmp_path, dicom_factory, structure_factory, segmentation_factory
    ):
        series = dicom_factory()
        structure_factory(series, {"GTV_Mass": SQUARE})
        segmentation_factory(series, {"gtv_mass": np.ones(SHAPE, dtype=bool)})
        assert refusal(tmp_path) == "ambiguous_outlines"

    def test_one_with_and_one_without_the_wanted_structure_is_not_ambiguous(
        self, tmp_path, dicom_factory, structure_factory, segmentation_factory
    ):
        series = dicom_factory()
        structure_factory(series, {"BODY": SQUARE})
        segmentation_factory(series, {"gtv_mass": np.ones(SHAPE, dtype=bool)})
        with collected() as notes:
            assert read(tmp_path).mask.labels.all()
        assert [note.code for note in notes] == ["dropped_outlines"]

    def test_a_structure_that_no_rule_names_is_refused_with_the_names_found(
        self, tmp_path, dicom_factory, structure_factory
    ):
        structure_factory(dicom_factory(), {"BODY": SQUARE, "Lung_L": SQUARE})
        with pytest.raises(DicomError, match="BODY, Lung_L") as caught:
            read(tmp_path)
        assert caught.value.reason == "no_matching_outline"

    def test_labels_come_by_name(self, tmp_path, dicom_factory, structure_factory):
        structure_factory(dicom_factory(), {"GTV_Mass": SQUARE, "node 3": [(3, SQUARE[0][1])]})
        labels = read(tmp_path).mask.labels
        assert (labels[1].max(), labels[3].max()) == (1, 2)


def test_a_segmentation_is_read_through_the_same_door(tmp_path, dicom_factory):
    series = dicom_factory()
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2, 1:3, 4:9] = True
    write_segmentation(tmp_path / "study" / "SEG", series, {"GTV_Mass": mask})
    np.testing.assert_array_equal(read(tmp_path).mask.labels, mask)
    assert pydicom.dcmread(tmp_path / "study" / "SEG").Modality == "SEG"


def test_blanks_around_a_patient_id_make_no_other_patient(tmp_path):
    for number, patient in enumerate((" P7", "P7 ", "P7")):
        write_series(tmp_path / str(number), patient_id=patient, study_uid=f"1.2.3.{number}")
    assert [source.patient_key for source in find_studies(tmp_path)] == ["P7"] * 3


def test_anonymous_studies_are_not_one_patient(tmp_path):
    def born(date):
        return lambda data, k: setattr(data, "PatientBirthDate", date)

    dates = ("19700101", "19700101", "19800101", "", "")
    for number, date in enumerate(dates):
        write_series(tmp_path / str(number), patient_id="ANONYMOUS", study_uid=f"1.2.3.{number}", change=born(date))
    with collected() as notes:
        keys = [source.patient_key for source in find_studies(tmp_path)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
    assert [said.code for said in notes] == ["doubtful_patients"]


def later(days):
    def change(data, k):
        data.AcquisitionDate = f"202402{20 + days:02d}"

    return change


@pytest.mark.parametrize(("days", "codes"), [(0, []), (1, []), (5, ["days_apart"])])
def test_channels_of_days_apart_are_read_and_that_is_said(tmp_path, dicom_factory, structure_factory, days, codes):
    structure_factory(dicom_factory(change=later(0)), {"GTV_Mass 1": SQUARE})
    dicom_factory(modality="PT", change=later(days))
    with collected() as notes:
        read(tmp_path, PET_RULES)
    assert [said.code for said in notes] == codes
