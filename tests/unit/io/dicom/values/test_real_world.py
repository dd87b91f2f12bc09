import pytest
from pydicom.dataset import Dataset

from lesionflow.errors import DicomError
from lesionflow.io.dicom.values.real_world import Mapping, mapping_of


def item(slope, intercept=0.0, code="mm2/s"):
    data, unit = Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator = code, "UCUM"
    data.MeasurementUnitsCodeSequence = [unit]
    if slope is not None:
        data.RealWorldValueSlope, data.RealWorldValueIntercept = slope, intercept
    return data


def test_the_one_mapping_in_a_unit_that_is_wanted():
    items = [item(2.0, code="{counts}"), item(3.0, 1.0, "Bq/ml"), item(0.5, code="{SUVbw}g/ml")]
    assert mapping_of(items, ("{SUVbw}g/ml", "Bq/ml"), name="c-1") == Mapping(0.5, 0.0, "{SUVbw}g/ml")
    assert mapping_of(items[:2], ("{SUVbw}g/ml", "Bq/ml"), name="c-1") == Mapping(3.0, 1.0, "Bq/ml")
    assert mapping_of(items, ("[hnsf'U]",), name="c-1") is None
    assert mapping_of([item(1e-6)], None, name="c-1") == Mapping(1e-6, 0.0, "mm2/s")
    assert mapping_of([], None, name="c-1") is None
    assert mapping_of([item(2.0), item(2.0)], None, name="c-1") == Mapping(2.0, 0.0, "mm2/s")


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([item(2.0), item(3.0)], "ambiguous_real_world_values"),
        ([item(2.0), item(2.0, code="s")], "ambiguous_real_world_values"),
        ([item(None)], "unsupported_real_world_values"),
        ([item(0.0)], "unsupported_real_world_values"),
    ],
)
def test_what_is_not_one_slope_is_refused(items, reason):
    with pytest.raises(DicomError, match="c-1") as caught:
        mapping_of(items, None, name="c-1")
    assert caught.value.reason == reason
