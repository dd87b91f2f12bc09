"""Values by hand: slope times what is stored plus intercept, of the one kind that the whole series has."""

import warnings

import numpy as np
import pytest
from pydicom.dataset import Dataset

from lesionflow.errors import DicomError
from lesionflow.io.dicom.series import read_series
from lesionflow.io.notes import collected
from support.dicom_factory import write_multiframe

SLOPES = np.array([0.5, 2.0, 1.0, 9.155552842799158e-05, 1e-6])
BY_SLICE = SLOPES[:, None, None]


def mapped(slope, intercept=0.0, code="ms"):
    unit, mapping = Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator = code, "UCUM"
    mapping.MeasurementUnitsCodeSequence = [unit]
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = float(slope), float(intercept)
    return [mapping]


def change(slices=range(5), *, rescale=None, **values):
    def apply(data, k):
        if k not in slices:
            return
        if rescale is None:
            del data.RescaleSlope, data.RescaleIntercept
        else:
            data.RescaleSlope, data.RescaleIntercept = rescale
        for keyword, value in values.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                setattr(data, keyword, value(k) if callable(value) else value)

    return apply


def read(series):
    with collected() as notes:
        array = read_series(tuple(map(str, series.paths)), name="c-1").volume.array[0]
    return array, [note.code for note in notes]


def refusal(series):
    with pytest.raises(DicomError, match="c-1") as caught:
        read(series)
    return caught.value.reason


@pytest.mark.parametrize("rescale", [None, ("1", "0")], ids=["no rescale", "a rescale that says nothing"])
def test_mr_takes_real_world_values_where_nothing_else_scales_it(dicom_factory, rescale):
    """Each slice has its own slope, one of them 1, as a maker that scales each slice to its full range writes them."""
    values = change(rescale=rescale, RealWorldValueMappingSequence=lambda k: mapped(SLOPES[k], 3.0))
    series = dicom_factory(modality="MR", change=values)
    array, notes = read(series)
    np.testing.assert_allclose(array, series.stored * BY_SLICE + 3.0, rtol=1e-6)
    assert notes == ["real_world_values"]


def test_mr_that_is_rescaled_stays_as_rescaled_and_real_world_values_are_of_what_is_stored(dicom_factory):
    """Both map stored numbers; one after the other would scale twice."""
    values = change(rescale=("0.25", "-7"), RealWorldValueMappingSequence=lambda k: mapped(SLOPES[k]))
    series = dicom_factory(modality="MR", change=values)
    array, notes = read(series)
    np.testing.assert_array_equal(array, series.stored * 0.25 - 7.0)
    assert notes == []


def test_enhanced_mr_by_real_world_values_alone(tmp_path):
    order = (3, 0, 4, 1, 2)

    def only_mapped(data):
        for k, group in zip(order, data.PerFrameFunctionalGroupsSequence, strict=True):
            del group.PixelValueTransformationSequence
            group.RealWorldValueMappingSequence = mapped(SLOPES[k], 3.0)

    series = write_multiframe(tmp_path / "e.dcm", modality="MR", order=order, change=only_mapped)
    np.testing.assert_allclose(read(series)[0], series.stored * BY_SLICE + 3.0, rtol=1e-6)


def test_enhanced_mr_by_real_world_values_of_all_frames_together(tmp_path):
    def shared(data):
        for group in data.PerFrameFunctionalGroupsSequence:
            del group.PixelValueTransformationSequence
        data.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence = mapped(2.5e-5)

    series = write_multiframe(tmp_path / "e.dcm", modality="MR", change=shared)
    np.testing.assert_allclose(read(series)[0], series.stored * 2.5e-5, rtol=1e-6)


def test_ct_whose_hu_are_real_world_values(dicom_factory):
    values = change(RealWorldValueMappingSequence=lambda k: mapped(2.0, -1000.0, "[hnsf'U]"))
    series = dicom_factory(change=values)
    np.testing.assert_array_equal(read(series)[0], series.stored * 2.0 - 1000.0)
    other = change(RealWorldValueMappingSequence=lambda k: mapped(2.0, -1000.0, "mg/cm3"))
    assert refusal(dicom_factory(change=other)) == "missing_rescale"


@pytest.mark.parametrize("said", ["HU", "hu", "HU ", "US", "HU_MOD"])
def test_ct_of_hu(dicom_factory, said):
    series = dicom_factory(change=change(rescale=("2", "-1000"), RescaleType=said))
    np.testing.assert_array_equal(read(series)[0], series.stored * 2.0 - 1000.0)


@pytest.mark.parametrize("said", ["OD", "MGML", "Z_EFF", "ED", "PCT"])
def test_ct_of_another_quantity_on_any_slice_is_refused(dicom_factory, said):
    assert (
        refusal(dicom_factory(change=change({4}, rescale=("2", "-1000"), RescaleType=said))) == "unsupported_ct_units"
    )


@pytest.mark.parametrize("slope", ["0.0001", "0.00001"])
def test_ct_of_attenuation_is_refused(dicom_factory, slope):
    assert refusal(dicom_factory(change=change(rescale=(slope, "0"), RescaleType="US"))) == "implausible_hu"


MIXED = {
    "a rescale on some": change({2}),
    "rescale types": change({2}, rescale=("2", "0"), RescaleType="ms"),
    "real-world values on some": change({0, 1, 2, 3}, RealWorldValueMappingSequence=lambda k: mapped(2.0)),
    "real-world units": change(RealWorldValueMappingSequence=lambda k: mapped(2.0, code="ms" if k else "s")),
}


@pytest.mark.parametrize("values", MIXED.values(), ids=MIXED)
def test_mr_whose_slices_are_scaled_in_several_ways_is_refused(dicom_factory, values):
    def scaled(data, k):
        data.RescaleSlope = "2"
        values(data, k)
        if "RealWorldValueMappingSequence" in data or (k == 4 and values is MIXED["real-world values on some"]):
            data.RescaleSlope, data.RescaleIntercept = "1", "0"

    assert refusal(dicom_factory(modality="MR", change=scaled)) == "mixed_units"


def test_a_lookup_table_on_some_slices_is_refused(dicom_factory):
    def table(data, k):
        if k == 3:
            lut = Dataset()
            lut.LUTDescriptor, lut.ModalityLUTType = [3000, 0, 16], "HU"
            lut.LUTData = np.arange(3000).astype("<u2").tobytes()
            data.ModalityLUTSequence = [lut]

    assert refusal(dicom_factory(change=table)) == "mixed_units"
