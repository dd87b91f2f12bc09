"""A report of another maker, read and hashed."""

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lesionflow.errors import DicomError
from lesionflow.io.dicom.writing.content_tree import DEEPEST, hash_content, read_content_tree


def item(kind, code="1", relationship="CONTAINS", **values):
    data, name = Dataset(), Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = code, "99TEST", f"meaning {code}"
    data.ValueType, data.RelationshipType, data.ConceptNameCodeSequence = kind, relationship, Sequence([name])
    for keyword, value in values.items():
        setattr(data, keyword, value)
    return data


def number(value, unit="mm", items=()):
    measured, units = Dataset(), Dataset()
    units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = unit, "UCUM", unit
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = value, Sequence([units])
    return item("NUM", "2", MeasuredValueSequence=Sequence([measured]), ContentSequence=Sequence(items))


def image():
    referred = Dataset()
    referred.ReferencedSOPClassUID, referred.ReferencedSOPInstanceUID = "1.2.3", "1.2.3.4"
    referred.ReferencedFrameNumber = [3, 4]
    return item("IMAGE", "4", "SELECTED FROM", ReferencedSOPSequence=Sequence([referred]))


def report():
    line = item("SCOORD", "3", "INFERRED FROM", GraphicType="POLYLINE", GraphicData=[0.5, 1.5, 2.5, 3.5])
    line.ContentSequence = Sequence([image()])
    text = item("TEXT", "5", TextValue="of <b>no</b> use ")
    return item(
        "CONTAINER",
        "0",
        "",
        ContinuityOfContent="SEPARATE",
        ContentSequence=Sequence([number("4.25", items=[line]), text]),
    )


def test_each_item_is_read_with_its_value_and_what_it_holds():
    found = read_content_tree(report(), name="a report")
    kinds = [(each.relationship, each.kind, each.concept[0], each.value) for each in found.walk()]
    assert kinds == [
        ("", "CONTAINER", "0", "SEPARATE"),
        ("CONTAINS", "NUM", "2", (4.25, ("mm", "UCUM", "mm"))),
        ("INFERRED FROM", "SCOORD", "3", ("POLYLINE", [0.5, 1.5, 2.5, 3.5])),
        ("SELECTED FROM", "IMAGE", "4", ("1.2.3", "1.2.3.4", [3, 4], [])),
        ("CONTAINS", "TEXT", "5", "of <b>no</b> use"),
    ]
    assert [each.value[0] for each in found.find("NUM", "2")] == [4.25]
    assert found.find("NUM", "3") == ()


def test_a_hash_is_that_of_what_is_said_not_of_how_it_is_written(tmp_path):
    one, other = report(), report()
    other.ContentSequence[0].MeasuredValueSequence[0].NumericValue = "4.250"
    assert hash_content(one) == hash_content(other)
    other.ContentSequence[0].MeasuredValueSequence[0].NumericValue = "4.26"
    assert hash_content(one) != hash_content(other)


@pytest.mark.parametrize("harm", ["no value", "no numbers", "too deep"])
def test_what_is_none_is_refused_by_name(harm):
    data = report()
    if harm == "no value":
        data.ContentSequence[0].MeasuredValueSequence = Sequence([])
    elif harm == "no numbers":
        del data.ContentSequence[0].ContentSequence[0].GraphicData
    else:
        inner = data
        for _ in range(DEEPEST):
            inner.ContentSequence = Sequence([item("CONTAINER")])
            inner = inner.ContentSequence[0]
    with pytest.raises(DicomError) as error:
        read_content_tree(data, name="a report")
    assert error.value.reason == "unreadable_report"
    assert pydicom.__version__
