import math

import numpy as np
import pytest

from lesionflow.errors import DicomError
from lesionflow.io.dicom.series import read_series

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


def private(*elements):
    def change(data, k):
        data.Units = "CNTS"
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
