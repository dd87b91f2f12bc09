import copy
import math

import numpy as np
import pytest
from pydicom.dataset import Dataset

from lesionflow.errors import DicomError
from lesionflow.io.dicom.pet_suv import patient_weight_kg, suv_factor
from lesionflow.io.dicom.series import read_series
from lesionflow.io.notes import collected

#: 70 kg, 370 MBq of fluorine-18 (6588 s) an hour before the scan, in g/Bq; the dose decays to 2^(-3600/6588) of itself.
FACTOR = 70_000 / (370e6 * 2 ** (-3600 / 6588))


def factor(series):
    """Return what made SUV of the rescaled voxels (slope 2)."""
    volume = read_series(tuple(map(str, series.paths)), name="c-1").volume
    ratio = volume.array[0] / (series.stored * 2.0)
    np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-5)
    return float(ratio.flat[0])


def drug(**values):
    def change(data, k):
        for keyword, value in values.items():
            setattr(data.RadiopharmaceuticalInformationSequence[0], keyword, value)

    return change


def header(**values):
    def change(data, k):
        for keyword, value in values.items():
            setattr(data, keyword, value)

    return change


def without(keyword):
    return lambda data, k: delattr(data, keyword)


def private(*elements, creator="Philips PET Private Group"):
    def change(data, k):
        data.Units = "CNTS"
        data.add_new((0x7053, 0x0010), "LO", creator)
        for element, value in elements:
            data.add_new((0x7053, element), "DS", value)

    return change


#: Dose, weight and times of all but the last are equal, whatever way they are told.
SAME = {
    "time alone": (None, 3600),
    "date and time": (drug(RadiopharmaceuticalStartDateTime="20240229091500.00"), 3600),
    "a date shifted by de-identification": (drug(RadiopharmaceuticalStartDateTime="20240301091500"), 3600),
    "corrected to the injection": (header(DecayCorrection="ADMIN"), 0),
    "series time of a later rework": (header(SeriesTime="235900", AcquisitionTime="101500"), 3600),
    "fractions of a second": (header(SeriesTime="101500.5"), 3600.5),
    "injected before midnight": (header(SeriesTime="001500", AcquisitionTime="001530"), 15 * 3600),
}


@pytest.mark.parametrize(("change", "wait_s"), SAME.values(), ids=SAME)
def test_suv_is_activity_by_decayed_dose_by_weight(dicom_factory, change, wait_s):
    if wait_s == 15 * 3600:
        # 9:15 the day before to 0:15 are 15 hours: more than ten half-lives have not passed
        assert wait_s < 10 * 6588
    expected = 70_000 / (370e6 * 2 ** (-wait_s / 6588))
    assert factor(dicom_factory(modality="PT", change=change)) == pytest.approx(expected, rel=1e-5)


def test_the_first_acquisition_counts_not_that_of_the_first_slice(dicom_factory):
    """Bed positions follow one another; the lowest slices may be scanned last."""

    def beds(data, k):
        data.SeriesTime, data.AcquisitionTime = "110000", ["102500", "102500", "102000", "101500", "101500"][k]

    assert factor(dicom_factory(modality="PT", change=beds)) == pytest.approx(FACTOR, rel=1e-5)


def test_suv_is_taken_as_it_is(dicom_factory):
    assert factor(dicom_factory(modality="PT", change=header(Units="GML"))) == pytest.approx(1.0)


def test_philips_counts_have_their_own_factor(dicom_factory):
    assert factor(dicom_factory(modality="PT", change=private((0x1000, "0.125")))) == pytest.approx(0.125)
    assert factor(dicom_factory(modality="PT", change=private((0x1000, "0"), (0x1009, "3")))) == pytest.approx(
        3 * FACTOR
    )


def test_philips_factors_are_found_in_whatever_block_they_lie(dicom_factory):
    def second(data, k):
        private((0x1000, "9"), creator="SOMEBODY ELSE")(data, k)
        block = data.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", "0.125")

    assert factor(dicom_factory(modality="PT", change=second)) == pytest.approx(0.125)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (header(PatientWeight=None), "no PatientWeight"),
        (without("PatientWeight"), "no PatientWeight"),
        (drug(RadionuclideTotalDose=None), "no RadionuclideTotalDose"),
        (without("RadiopharmaceuticalInformationSequence"), "no injection"),
    ],
)
def test_what_is_missing_is_named(dicom_factory, change, words):
    with pytest.raises(DicomError) as caught:
        factor(dicom_factory(modality="PT", change=change))
    assert caught.value.reason == "missing_suv_factors"
    assert words in str(caught.value)
    assert "float" not in str(caught.value)
    assert "object" not in str(caught.value)


def test_a_known_patient_has_a_known_suv():
    """Evenly spread, 370 MBq in 70 kg make 5286 Bq/g: SUV 1 at the time of injection."""
    assert math.isclose(5285.714 * 70_000 / 370e6, 1.0, rel_tol=1e-6)


FAULTS = {
    "no weight": (without("PatientWeight"), "missing_suv_factors"),
    "weight 0": (header(PatientWeight="0"), "missing_suv_factors"),
    "no dose": (drug(RadionuclideTotalDose=None), "missing_suv_factors"),
    "dose 0": (drug(RadionuclideTotalDose="0"), "missing_suv_factors"),
    "no half-life": (drug(RadionuclideHalfLife=None), "missing_suv_factors"),
    "no injection time": (drug(RadiopharmaceuticalStartTime=None), "missing_suv_factors"),
    "no drug": (without("RadiopharmaceuticalInformationSequence"), "missing_suv_factors"),
    "no series time": (header(SeriesTime=""), "missing_suv_factors"),
    "decay correction NONE": (header(DecayCorrection="NONE"), "missing_suv_factors"),
    "no decay correction": (without("DecayCorrection"), "missing_suv_factors"),
    "no attenuation correction": (header(CorrectedImage=["DECY"]), "missing_suv_factors"),
    "not corrected for decay": (header(CorrectedImage=["ATTN"]), "missing_suv_factors"),
    "days after the injection": (drug(RadiopharmaceuticalStartDateTime="20240220091500"), "missing_suv_factors"),
    "counts": (header(Units="CNTS"), "unsupported_pet_units"),
    "no units": (header(Units=""), "unsupported_pet_units"),
    "SUV by lean body mass": (header(Units="GML", SUVType="LBM"), "unsupported_pet_units"),
}


@pytest.mark.parametrize(("change", "reason"), FAULTS.values(), ids=FAULTS)
def test_pet_without_what_suv_needs_is_refused_by_name(dicom_factory, change, reason):
    with pytest.raises(DicomError) as caught:
        factor(dicom_factory(modality="PT", change=change))
    assert caught.value.reason == reason
    assert "c-1" in str(caught.value)


def on_slices(slices, change):
    return lambda data, k: change(data, k) if k in slices else None


MIXED = {
    "units of one slice": (on_slices({3}, header(Units="GML")), "mixed_pet_units"),
    "units of all but the first": (on_slices({1, 2, 3, 4}, header(Units="GML")), "mixed_pet_units"),
    "a factor of one slice": (
        lambda data, k: private((0x1000, "0.125" if k else "0.25"))(data, k),
        "mixed_pet_units",
    ),
    "kinds of SUV": (
        lambda data, k: header(Units="GML", SUVType="LBM" if k == 4 else "BW")(data, k),
        "mixed_pet_units",
    ),
    "weights": (on_slices({2}, header(PatientWeight="80")), "mixed_suv_factors"),
    "doses": (on_slices({2}, drug(RadionuclideTotalDose="180000000")), "mixed_suv_factors"),
    "injections": (on_slices({2}, drug(RadiopharmaceuticalStartTime="081500")), "mixed_suv_factors"),
    "corrections": (on_slices({2}, header(DecayCorrection="ADMIN")), "mixed_suv_factors"),
    "MBq": (drug(RadionuclideTotalDose="370"), "implausible_dose"),
    "grams": (header(PatientWeight="70000"), "implausible_weight"),
    "a half-life of minutes": (drug(RadionuclideHalfLife="109.8"), "missing_suv_factors"),
    "a half-life of hours": (drug(RadionuclideHalfLife="1.83"), "implausible_half_life"),
    "proportional counts": (header(Units="PROPCNTS"), "unsupported_pet_units"),
    "SUV by body surface": (header(Units="CM2ML", SUVType="BSA"), "unsupported_pet_units"),
    "SUV by ideal weight": (header(Units="GML", SUVType="IBW"), "unsupported_pet_units"),
    "a factor of another maker": (private((0x1000, "0.125"), creator="SOMEBODY ELSE"), "unsupported_pet_units"),
    "a factor of nobody": (private((0x1000, "0.125"), creator=""), "unsupported_pet_units"),
    "a factor that is none": (private((0x1000, "-1"), (0x1009, "-3")), "unsupported_pet_units"),
}


@pytest.mark.parametrize(("change", "reason"), MIXED.values(), ids=MIXED)
def test_units_and_factors_of_every_slice_are_looked_at(dicom_factory, change, reason):
    with pytest.raises(DicomError) as caught:
        factor(dicom_factory(modality="PT", change=change))
    assert caught.value.reason == reason


def test_two_injections_are_refused_and_one_told_twice_is_not(dicom_factory):
    def twice(time):
        def change(data, k):
            one = data.RadiopharmaceuticalInformationSequence[0]
            other = copy.deepcopy(one)
            other.RadiopharmaceuticalStartTime = time
            data.RadiopharmaceuticalInformationSequence = [one, other]

        return change

    assert factor(dicom_factory(modality="PT", change=twice("091500"))) == pytest.approx(FACTOR, rel=1e-5)
    with pytest.raises(DicomError, match="2 injections") as caught:
        factor(dicom_factory(modality="PT", change=twice("081500")))
    assert caught.value.reason == "missing_suv_factors"


def test_the_zone_of_the_scanner_counts(dicom_factory):
    def abroad(data, k):
        data.TimezoneOffsetFromUTC = "+0200"
        drug(RadiopharmaceuticalStartDateTime="20240229071500.00+0000")(data, k)

    assert factor(dicom_factory(modality="PT", change=abroad)) == pytest.approx(FACTOR, rel=1e-5)


def test_slopes_of_each_slice_and_their_smallest_digits_count(dicom_factory):
    """As GE writes them: a slope a slice, all of its 16 characters."""
    slopes = ("2.5e-05", "0.00091555528428", "1.5", "9.1555528428e-05", "3")

    def own(data, k):
        data.Units, data.RescaleSlope = "GML", slopes[k]

    series = dicom_factory(modality="PT", change=own)
    volume = read_series(tuple(map(str, series.paths)), name="c-1").volume
    by_hand = np.array([2.5e-5, 9.1555528428e-4, 1.5, 9.1555528428e-5, 3.0])[:, None, None]
    np.testing.assert_allclose(volume.array[0], series.stored * by_hand, rtol=1e-6)


def test_an_image_that_holds_more_than_was_injected_is_refused(dicom_factory):
    """SUV of thousands on 0.4 l of a patient of 70 kg are over three times the dose."""
    with pytest.raises(DicomError) as caught:
        factor(
            dicom_factory(modality="PT", spacing_mm=(30.0, 8.0, 5.0), change=header(Units="GML", RescaleSlope="1.5"))
        )
    assert caught.value.reason == "implausible_suv"


def test_what_the_factor_is_not_made_of_may_differ(dicom_factory):
    """The volume that was injected, and the weight where the voxels are SUV already."""
    volumes = dicom_factory(modality="PT", change=lambda data, k: drug(RadiopharmaceuticalVolume=str(k + 1))(data, k))
    assert factor(volumes) == pytest.approx(FACTOR, rel=1e-5)
    ready = dicom_factory(modality="PT", change=lambda data, k: header(Units="GML", PatientWeight=str(70 + k))(data, k))
    assert factor(ready) == pytest.approx(1.0)


def slice_in_memory(**values):
    data = Dataset()
    data.Units, data.DecayCorrection, data.CorrectedImage = "BQML", "ADMIN", ["DECY", "ATTN"]
    data.PatientWeight = "70"
    injection = Dataset()
    injection.RadionuclideTotalDose, injection.RadionuclideHalfLife = "370000000", "6588"
    data.RadiopharmaceuticalInformationSequence = [injection]
    for keyword, value in values.items():
        setattr(data, keyword, value)
    return data


def test_slices_that_were_never_stored_are_compared_too_and_one_is_enough():
    assert suv_factor([slice_in_memory()], name="c-1") == pytest.approx(70_000 / 370e6)
    assert suv_factor([slice_in_memory(Units="GML")], name="c-1") == 1.0
    with pytest.raises(DicomError, match=r"PET of c-1 .* found 2 kinds") as caught:
        suv_factor([slice_in_memory(), slice_in_memory(PatientWeight="80")], name="c-1")
    assert caught.value.reason == "mixed_suv_factors"
    other = slice_in_memory()
    other.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = "180000000"
    with pytest.raises(DicomError, match="found 2 kinds"):
        suv_factor([slice_in_memory(), other], name="c-1")


def test_text_in_place_of_a_number_is_told_as_such():
    data = slice_in_memory()
    data.add_new("PatientWeight", "LO", "heavy")
    with pytest.raises(DicomError, match="a PatientWeight that is no number"):
        suv_factor([data], name="c-1")


def test_a_half_life_that_can_not_be_is_told_with_the_study():
    data = slice_in_memory()
    data.RadiopharmaceuticalInformationSequence[0].RadionuclideHalfLife = "1.83"
    with pytest.raises(DicomError, match=r"in PET of c-1, found 1\.83") as caught:
        suv_factor([data], name="c-1")
    assert caught.value.reason == "implausible_half_life"


def test_a_mouse_of_25_grams_has_its_suv():
    light = slice_in_memory(PatientWeight="0.025")
    light.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = "5000000"
    assert suv_factor([light], name="c-1") == pytest.approx(25 / 5e6)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"PatientWeight": ""}, "no PatientWeight"),
        ({"CorrectedImage": ""}, "corrections none"),
        ({"CorrectedImage": ["DECY"]}, "corrections DECY"),
        ({"PatientWeight": "0"}, "weight 0.0 kg, dose 370000000.0 Bq, half life 6588.0 s"),
        ({"Units": ""}, "in c-1, found none"),
        ({"Units": "CNTS"}, "in c-1, found CNTS"),
        ({"PatientWeight": "70000"}, "in PET of c-1, found 70000"),
    ],
)
def test_what_is_wrong_is_told_with_the_study(values, words):
    with pytest.raises(DicomError) as caught:
        suv_factor([slice_in_memory(**values)], name="c-1")
    assert words in str(caught.value)
    assert "c-1" in str(caught.value)


def test_units_that_differ_are_told(dicom_factory):
    with pytest.raises(DicomError, match=r"PET of c-1, found 2 \(BQML and GML\)"):
        factor(dicom_factory(modality="PT", change=on_slices({3}, header(Units="GML"))))
    with pytest.raises(DicomError, match=r"found 2 \(BQML and none\)"):
        factor(dicom_factory(modality="PT", change=on_slices({3}, header(Units=""))))


def test_a_scan_long_after_the_injection_is_said_where_the_voxels_are_of_its_start(dicom_factory):
    """Eight hours are 4.4 half-lives; corrected to the injection the wait says nothing."""
    late = {"SeriesTime": "171500", "AcquisitionTime": "171530"}
    for correction, expected in (("START", ["unusual_uptake_time"]), ("ADMIN", [])):
        with collected() as notes:
            factor(dicom_factory(modality="PT", change=header(DecayCorrection=correction, **late)))
        assert [one.code for one in notes if one.code == "unusual_uptake_time"] == expected
        assert all("c-1" in one.message for one in notes)


@pytest.mark.parametrize(
    ("weight", "expected"), [("70.5", 70.5), ("", 0.0), (None, 0.0), (math.inf, 0.0), (math.nan, 0.0)]
)
def test_a_weight_that_is_none_is_0(weight, expected):
    data = Dataset()
    if weight is not None:
        data.add_new("PatientWeight", "FD" if isinstance(weight, float) else "DS", weight)
    assert patient_weight_kg(data) == expected
