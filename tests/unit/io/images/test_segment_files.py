"""Segments by name on the image's grid: layers, overlaps, a file cut to what was drawn."""

import numpy as np
import pytest
import SimpleITK

from lesionflow.data.geometry import Geometry
from lesionflow.errors import GeometryMismatchError, InputError
from lesionflow.io.images.segment_files import read_named_parts
from lesionflow.io.labels import unite
from lesionflow.io.notes import collected
from lesionflow.io.rules import ReadingRules

GRID = Geometry.from_parts((3, 4, 5), (2.0, 0.8, 0.5), (1.0, 2.0, 3.0))
RULES = ReadingRules({}, "", {"liver": 1, "tumor": 2}, (("(?i)liver", "liver"), ("(?i)tumou?r", "tumor")))
LIVER, TUMOR = np.zeros((3, 4, 5), np.uint8), np.zeros((3, 4, 5), np.uint8)
LIVER[0:2, 1:3], TUMOR[1:3, 2:4, 1:4] = 1, 1


def write(path, layers, segments, corner=(0, 0, 0)):
    """Write layers (slice, row, column) and (name, layer, value) of each segment."""
    image = SimpleITK.GetImageFromArray(
        np.stack(layers, -1) if len(layers) > 1 else layers[0], isVector=len(layers) > 1
    )
    image.SetSpacing((0.5, 0.8, 2.0))
    image.SetOrigin(tuple(GRID.to_lps(corner)))
    for number, (called, layer, value) in enumerate(segments):
        for field, content in (("Name", called), ("Layer", layer), ("LabelValue", value)):
            image.SetMetaData(f"Segment{number}_{field}", str(content))
    SimpleITK.WriteImage(image, path)
    return path


def labels(path, rules=RULES):
    return unite(read_named_parts([path], GRID, rules, name="c-1")[path], GRID, rules).labels


def test_names_decide_and_numbers_do_not(tmp_path) -> None:
    path = write(tmp_path / "a.seg.nrrd", [LIVER * 2 + TUMOR * (1 - LIVER)], [("Tumour", 0, 1), ("LIVER", 0, 2)])
    np.testing.assert_array_equal(labels(path), np.where(LIVER, 1, TUMOR * 2))


def test_segments_of_two_layers_overlap_and_the_later_label_wins(tmp_path) -> None:
    path = write(tmp_path / "a.seg.nrrd", [TUMOR * 5, LIVER * 5], [("liver", 1, 5), ("tumor", 0, 5)])
    np.testing.assert_array_equal(labels(path), np.where(TUMOR, 2, LIVER))


def test_a_file_cut_to_what_was_drawn_lies_where_it_was(tmp_path) -> None:
    path = write(tmp_path / "a.seg.nrrd", [TUMOR[1:3, 2:4, 1:4]], [("tumor", 0, 1)], corner=(1, 2, 1))
    np.testing.assert_array_equal(labels(path), TUMOR * 2)


@pytest.mark.parametrize("corner", [(1.3, 2, 1), (2, 2, 1), (-1, 2, 1)])
def test_a_cut_file_off_the_grid_is_refused(tmp_path, corner) -> None:
    path = write(tmp_path / "a.seg.nrrd", [TUMOR[1:3, 2:4, 1:4]], [("tumor", 0, 1)], corner=corner)
    with pytest.raises(GeometryMismatchError):
        labels(path)


def test_a_segment_that_no_rule_takes_is_said(tmp_path) -> None:
    path = write(tmp_path / "a.seg.nrrd", [LIVER + TUMOR * 3 * (1 - LIVER)], [("liver", 0, 1), ("vein", 0, 3)])
    with collected() as notes:
        np.testing.assert_array_equal(labels(path), LIVER)
    assert [note.code for note in notes] == ["dropped_structure"]
    assert f"vein ({int((TUMOR > LIVER).sum())} voxels)" in notes[0].message


@pytest.mark.parametrize(
    ("layer", "segments", "reason"),
    [
        (LIVER * 2, [("liver", 0, 1)], "unknown_label"),
        (LIVER, [("liver", 1, 1)], "broken_segments"),
        (LIVER, [("vein", 0, 1)], "no_matching_outline"),
        (LIVER * 0.5, [("liver", 0, 1)], "not_labels"),
    ],
)  # fmt: skip
def test_what_its_header_does_not_tell_is_refused(tmp_path, layer, segments, reason) -> None:
    with pytest.raises(InputError, match="c-1") as refused:
        labels(write(tmp_path / "a.seg.nrrd", [layer], segments))
    assert refused.value.reason == reason


def test_files_without_names_are_left_to_others(tmp_path) -> None:
    assert read_named_parts([write(tmp_path / "a.nrrd", [LIVER], [])], GRID, RULES, name="c-1") == {}
