"""Segments that a NRRD header names: written by hand, as the files of 3D Slicer have them."""

import pytest

from lesionflow.errors import InputError
from lesionflow.io.images.segments import Segment, named_segments


def header(path, **fields):
    lines = ["NRRD0004", "type: unsigned char", "dimension: 3", "space: left-posterior-superior", "sizes: 2 2 2",
             "space directions: (1,0,0) (0,1,0) (0,0,1)", "kinds: domain domain domain", "encoding: raw",
             "space origin: (0,0,0)", *(f"{key}:={value}" for key, value in fields.items())]  # fmt: skip
    path.write_bytes("\n".join(lines).encode() + b"\n\n" + bytes(8))
    return path


def test_name_layer_and_value_are_read_in_the_order_of_their_numbers(tmp_path) -> None:
    fields = {"Segment10_Name": "node", "Segment10_LabelValue": 7, "Segment10_Layer": 1, "Segment2_Name": "Leber Läsion",
              "Segment2_LabelValue": 3, "Segment2_Layer": 0, "Segment2_Extent": "0 1 0 1 0 1", "Segment2_Tags": "x:y|"}  # fmt: skip
    found = named_segments(header(tmp_path / "a.seg.nrrd", **fields), name="c-1")
    assert found == [Segment("Leber Läsion", 0, 3), Segment("node", 1, 7)]


def test_old_files_have_a_layer_a_segment(tmp_path) -> None:
    path = header(tmp_path / "a.seg.nrrd", Segment0_Name="liver", Segment1_Name="tumor")
    assert named_segments(path, name="c-1") == [Segment("liver", 0, 1), Segment("tumor", 1, 1)]


def test_a_file_that_names_nothing_has_no_segments(tmp_path) -> None:
    assert named_segments(header(tmp_path / "a.nrrd"), name="c-1") == []
    unnamed = {"Segment0_Name": "Segment_1", "Segment0_LabelValue": 1, "Segment0_Layer": 0}
    assert named_segments(header(tmp_path / "b.seg.nrrd", **unnamed), name="c-1") == []
    assert named_segments(tmp_path / "absent.nii.gz", name="c-1") == []


@pytest.mark.parametrize(
    "second",
    [
        {"Segment1_LabelValue": 1, "Segment1_Layer": 0},
        {"Segment1_Layer": 0},
        {"Segment1_LabelValue": "x", "Segment1_Layer": 0},
    ],
    ids=["two of one value", "no value", "no number"],
)
def test_what_contradicts_itself_is_refused(tmp_path, second) -> None:
    first = {"Segment0_Name": "liver", "Segment0_LabelValue": 1, "Segment0_Layer": 0, "Segment1_Name": "tumor"}
    with pytest.raises(InputError, match="c-1") as refused:
        named_segments(header(tmp_path / "a.seg.nrrd", **first, **second), name="c-1")
    assert refused.value.reason == "broken_segments"
