"""Against the standard's own words: what PS3.15 table E.1-1 names is gone, what readers need is the same."""

import numpy as np
import pydicom
import pytest
import yaml
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from lesionflow.errors import DicomError
from lesionflow.io.dicom.deidentification import TABLE, deidentify, deidentify_folder
from lesionflow.io.dicom.studies import find_studies, read_study
from lesionflow.io.rules import ReadingRules, SeriesRule
from support.dicom_factory import ROOT, write_multiframe, write_rtstruct, write_segmentation, write_series
from support.identifiers import leaked, plant_identifiers

KEY = "a key"
RULES = ReadingRules({"CT": SeriesRule("CT"), "PET": SeriesRule("PT")}, "CT", {"tumor": 1}, (("(?i)gtv.*", "tumor"),))
CORNERS = [(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)]
#: Of table E.1-1, edition 2024b: what is no text, date or UID, so that a planted word would not show it.
NO_TEXT = {
    "PatientSize": "1.77",
    "SmokingStatus": "YES",
    "PregnancyStatus": 1,
    "PatientSexNeutered": "ALTERED",
    "ModifyingDeviceID": "ROOM7",
    "PatientState": "x",
    "EncapsulatedDocument": b"names",
}


def only(folder, rules=RULES):
    (source,) = find_studies(folder)
    return read_study(source, rules, name="c-1")


def study(folder, **values):
    ct = write_series(folder / "CT", **values)
    write_series(folder / "PET", modality="PT", shape=(3, 4, 6))
    write_rtstruct(folder / "RS", ct, {"GTV Jane 19700102": [(1, CORNERS)]})
    return ct


def test_every_planted_mark_is_gone_and_the_study_reads_the_same(tmp_path):
    study(tmp_path / "Jane Doe")
    before = only(tmp_path / "Jane Doe")
    plant_identifiers(tmp_path / "Jane Doe")
    done = deidentify_folder(tmp_path / "Jane Doe", tmp_path / "out", KEY)
    assert (done.n_files, done.n_left_out) == (9, 0)
    secrets = {b"Jane", b"Doe^", b"House", b"PATIENT^7", ROOT.encode(), b"19700102", b"20240229"}
    for path in sorted(p for p in (tmp_path / "out").rglob("*") if p.is_file()):
        # A time of day by itself is the same for everybody; those that PET needs stay.
        found = {word for word in leaked(path, secrets) if not word.startswith("0313")}
        assert found == set(), path
    after = only(tmp_path / "out")
    np.testing.assert_array_equal(after.mask.labels, before.mask.labels)
    assert before.mask.labels.any()
    for name, volume in before.volumes.items():
        np.testing.assert_array_equal(after.volumes[name].array, volume.array)
        np.testing.assert_array_equal(after.volumes[name].geometry.affine, volume.geometry.affine)
    assert after.attributes == {"manufacturer": "Kneebone Imaging", "sex": "F", "institution": ""}
    assert "GTV" in done.descriptors


@pytest.mark.parametrize(("keyword", "value"), NO_TEXT.items())
def test_what_is_no_text_goes_too(tmp_path, keyword, value):
    path = write_series(tmp_path / "CT").paths[0]
    data = pydicom.dcmread(path)
    setattr(data, keyword, value)
    assert keyword not in deidentify(data, KEY, name="f")


@pytest.mark.parametrize("group", [0x6000, 0x6002, 0x601E, 0x5004])
def test_overlays_and_curves_go(tmp_path, group):
    data = pydicom.dcmread(write_series(tmp_path / "CT").paths[0])
    data.add_new((group, 0x3000), "OW", b"\1\2")
    data.add_new((group, 0x0010), "US", 7)
    assert not [e for e in deidentify(data, KEY, name="f") if e.tag.group == group]


def test_what_belongs_together_still_does_and_comes_out_the_same_again(tmp_path):
    study(tmp_path / "a", patient_id="ANN", study_uid=f"{ROOT}.51")
    deidentify_folder(tmp_path / "a", tmp_path / "one", KEY)
    deidentify_folder(tmp_path / "a", tmp_path / "two", KEY)
    deidentify_folder(tmp_path / "a", tmp_path / "three", "another key")
    one, two, three = (
        {str(p.relative_to(tmp_path / n)): p.read_bytes() for p in (tmp_path / n).rglob("*.dcm")}
        for n in ("one", "two", "three")
    )
    assert one == two
    assert not set(one) & set(three)


@pytest.mark.parametrize(("patient_id", "n_patients"), [("ANONYMOUS", 2), ("", 2), ("ANN", 1)])
def test_an_id_for_everybody_makes_no_patient(tmp_path, patient_id, n_patients):
    def unborn(data, _):
        data.PatientBirthDate = ""

    for number in (1, 2):
        write_series(tmp_path / "in" / str(number), patient_id=patient_id, study_uid=f"{ROOT}.6{number}", change=unborn)
    deidentify_folder(tmp_path / "in", tmp_path / "out", KEY)
    assert len(list((tmp_path / "out").iterdir())) == n_patients


def test_dates_move_together_by_a_patients_own_days(tmp_path):
    data = [pydicom.dcmread(write_series(tmp_path / n, patient_id=n).paths[0]) for n in ("ANN", "BEN")]
    for d in data:
        d.SeriesDate, d.AcquisitionDateTime = "20240303", "20240301101500.5+0100"
    ann, ben = (deidentify(d, KEY, name="f") for d in data)
    days = [
        np.datetime64(f"{d[:4]}-{d[4:6]}-{d[6:8]}") for d in (ann.StudyDate, ann.AcquisitionDateTime, ann.SeriesDate)
    ]
    assert [(day - days[0]).astype(int) for day in days] == [0, 1, 3]
    assert days[0] < np.datetime64("2024-02-29")
    assert ann.AcquisitionDateTime[8:] == "101500.5+0100"
    assert ben.StudyDate != ann.StudyDate
    assert (ann.PatientBirthDate, ann.StudyTime) == ("", "100000")


def test_it_says_what_was_done(tmp_path):
    clean = deidentify(pydicom.dcmread(write_series(tmp_path).paths[0]), KEY, name="f")
    assert (clean.PatientIdentityRemoved, clean.LongitudinalTemporalInformationModified) == ("YES", "MODIFIED")
    codes = [item.CodeValue for item in clean.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113105", "113107", "113108", "113111"]


def test_names_in_pixels_are_refused(tmp_path):
    write_series(tmp_path / "in", change=lambda data, k: setattr(data, "BurnedInAnnotation", "YES"))
    with pytest.raises(DicomError, match="file 1 of 5") as caught:
        deidentify_folder(tmp_path / "in", tmp_path / "out", KEY)
    assert caught.value.reason == "burned_in_annotation"
    assert not (tmp_path / "out").exists()


def test_private_elements_go_but_those_that_give_pet_its_unit(tmp_path):
    def philips(data, k):
        data.Units = "CNTS"
        block = data.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", "0.25")
        block.add_new(0x01, "LO", "Jane")
        other = data.private_block(0x7053, "SOMEBODY", create=True)
        other.add_new(0x09, "DS", "3")

    data = pydicom.dcmread(write_series(tmp_path, modality="PT", change=philips).paths[0])
    clean = deidentify(data, KEY, name="f")
    assert {int(e.tag): str(e.value) for e in clean if e.tag.is_private} == {
        0x70530010: "Philips PET Private Group",
        0x70531000: "0.25",
    }


def test_segmentations_and_multiframe_images_read_the_same(tmp_path):
    ct = write_multiframe(tmp_path / "in" / "CT" / "a")
    mask = np.zeros(ct.stored.shape, dtype=bool)
    mask[1, 1:5, 2:7] = True
    write_segmentation(tmp_path / "in" / "SEG", ct, {"GTV": mask})
    rules = ReadingRules({"CT": SeriesRule("CT")}, "CT", {"tumor": 1}, (("GTV", "tumor"),))
    deidentify_folder(tmp_path / "in", tmp_path / "out", KEY)
    before, after = only(tmp_path / "in", rules), only(tmp_path / "out", rules)
    np.testing.assert_array_equal(after.mask.labels, mask)
    np.testing.assert_array_equal(after.volumes["CT"].array, before.volumes["CT"].array)


def test_compressed_pixels_stay_as_they_are(tmp_path):
    series = write_series(tmp_path / "in")
    for path in series.paths:
        data = pydicom.dcmread(path)
        data.compress(RLELossless)
        data.save_as(path)
    deidentify_folder(tmp_path / "in", tmp_path / "out", KEY)
    kept = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    assert {data.file_meta.TransferSyntaxUID for data in kept} == {RLELossless}
    found = {data.InstanceNumber: data.pixel_array for data in kept}
    assert len(found) == 5
    for number, path in enumerate(series.paths):
        given = pydicom.dcmread(path)
        np.testing.assert_array_equal(found[given.InstanceNumber], series.stored[number])


def test_files_of_other_kinds_are_left_out_and_counted(tmp_path):
    study(tmp_path / "in")
    (tmp_path / "in" / "patients.txt").write_text("Jane Doe")
    assert deidentify_folder(tmp_path / "in", tmp_path / "out", KEY).n_left_out == 1
    assert not list((tmp_path / "out").rglob("*.txt"))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("GTV_Mass", "GTV_Mass"),
        ("gtv doe", "gtv"),
        ("GTV JANE2", "GTV"),
        ("CT 20240229 thorax 5mm", "CT  thorax 5mm"),
        ("0004711", ""),
    ],
)
def test_descriptors_keep_words_that_name_nobody(tmp_path, text, kept):
    data = pydicom.dcmread(write_series(tmp_path).paths[0])
    data.SeriesDescription = text
    assert deidentify(data, KEY, name="f").SeriesDescription == kept


def test_what_can_not_be_understood_is_refused():
    data = Dataset()
    data.PatientID = "x"
    with pytest.raises(DicomError) as caught:
        deidentify(data, KEY, name="f")
    assert caught.value.reason == "unreadable_file"


def test_every_name_in_the_table_is_an_attribute():
    table = yaml.safe_load(TABLE.read_text())
    unknown = [k for k in (*table["by_keyword"], *table["identity"]) if tag_for_keyword(k) is None]
    assert unknown == []
    assert set(table["by_keyword"].values()) <= set("AKZUSCOPMX")


@pytest.mark.parametrize(("age", "kept"), [("044Y", "044Y"), ("097Y", "090Y"), ("007M", "007M")])
def test_an_age_stays_but_of_the_oldest(tmp_path, age, kept):
    data = pydicom.dcmread(write_series(tmp_path).paths[0])
    data.PatientAge = age
    assert deidentify(data, KEY, name="f").PatientAge == kept


@pytest.mark.parametrize(("zone", "kept"), [("+0200", "+0200"), ("-0330", "-0330"), ("Jane's", "")])
def test_an_offset_from_utc_stays_as_pet_needs_it(tmp_path, zone, kept):
    data = pydicom.dcmread(write_series(tmp_path).paths[0])
    data.TimezoneOffsetFromUTC = zone
    assert deidentify(data, KEY, name="f").TimezoneOffsetFromUTC == kept


def test_what_tells_a_rejected_outline_or_a_part_of_a_whole_stays(tmp_path):
    """Else the study that is refused here would be read where it goes."""
    said = {
        "ApprovalStatus": "REJECTED",
        "InConcatenationNumber": 1,
        "InConcatenationTotalNumber": 2,
        "LossyImageCompression": "01",
        "ComplexImageComponent": "PHASE",
    }
    data = pydicom.dcmread(write_series(tmp_path).paths[0])
    for keyword, value in said.items():
        setattr(data, keyword, value)
    data.ConcatenationUID = f"{ROOT}.99"
    clean = deidentify(data, KEY, name="f")
    assert {keyword: clean.get(keyword) for keyword in said} == said
    assert clean.ConcatenationUID not in ("", f"{ROOT}.99")
