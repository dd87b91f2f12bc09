import io
import re

import pytest
from PIL import Image

from lesionflow.data.dataset import Dataset
from lesionflow.io.notes import Note
from lesionflow.io.stores.case_index import Entry
from lesionflow.steps.ingest.report import MAX_NAMED, Known, read_page

DATASET = Dataset(
    name="knees <1>",
    channels={"CT": "ct"},
    labels={"tumor": 1, "edema": 2},
    regions={"whole": (1, 2), "core": (1,)},
    series_descriptions={"CT": "axial"},
)


def entry(patient, labels="1", notes=(), p99=300.0, spacing=3.0):
    row = {
        "patient_id": patient,
        "has_mask": bool(labels),
        "labels_present": labels,
        "tumor_ml": 1.25,
        "p01__CT": -1000.0,
        "p99__CT": p99,
        **{f"n_{axis}": n for axis, n in zip(("slices", "rows", "columns"), (5, 7, 11), strict=True)},
        **{f"spacing_{axis}_mm": spacing for axis in ("slice", "row", "column")},
    }
    return Entry("k", row, {}, {}, tuple(notes))


def refused(reason, message="Expected <this>."):
    return Entry("k", {}, {}, {"case_id": "c", "reason": reason, "message": message})


@pytest.fixture
def show(tmp_path):
    def make(index, general=(), sources=None, taken=None, said=None, dataset=DATASET):
        folder = tmp_path / "cases" / "thumbnails"
        folder.mkdir(parents=True, exist_ok=True)
        for case_id in index:
            made = io.BytesIO()
            Image.new("RGB", (8, 8)).save(made, "PNG")
            (folder / f"{case_id}.png").write_bytes(made.getvalue())
        return read_page(
            index,
            general,
            dataset,
            folders=(tmp_path / "none", tmp_path / "cases"),
            known=Known(sources or {}, taken or {}, said or {}),
        )

    return make


def tiles(page):
    return dict(re.findall(r"<div class='tile'><span>(.*?)</span><b>(.*?)</b>", page))


def rows(page, chapter):
    part = page.split(f"<h2>{chapter}</h2>")[1].split("<h2>")[0]
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", part) if "<td" in row]


def test_it_counts_what_was_read_refused_and_remarked(show):
    index = {
        "c-1": entry("p-1", notes=[("gap_filled", "One.")]),
        "c-2": entry("p-1"),
        "c-3": entry("p-2", labels=""),
        "c-4": refused("missing_slice"),
    }
    assert tiles(show(index)) == {
        "Cases": "3",
        "Patients": "2",
        "Without an outline": "1",
        "Refused": "1",
        "With remarks": "1",
    }


def test_each_reason_stands_once_with_its_count_the_most_frequent_first_and_where_it_happened(show):
    index = {"c-1": refused("localizer"), **{f"c-{n}": refused("missing_slice") for n in (2, 3)}}
    page = show(index, sources={"c-2": "raw/<b>", "c-3": "raw/c"})
    assert rows(page, "Refused") == [
        ["missing_slice", "2", "Expected &lt;this&gt;.", "raw/&lt;b&gt;, raw/c"],
        ["localizer", "1", "Expected &lt;this&gt;.", "c-1"],
    ]


def test_more_places_than_anybody_reads_are_counted(show):
    page = show({f"c-{n:02d}": refused("localizer") for n in range(MAX_NAMED + 3)})
    assert rows(page, "Refused")[0][3].endswith(f"c-{MAX_NAMED - 1:02d} and 3 more")


def test_what_was_said_of_one_and_of_all_is_told(show):
    index = {"c-1": entry("p-1", notes=[("gap_filled", "Slice 3.")])}
    page = show(index, general=[Note("patients_guessed", "By names.")])
    assert sorted(rows(page, "Read, but")) == [
        ["gap_filled", "1", "Slice 3.", "c-1"],
        ["patients_guessed", "1", "By names.", "all studies"],
    ]


def test_channels_tell_their_rule_and_the_range_of_their_values(show):
    index = {f"c-{n}": entry(f"p-{n}", p99=value) for n, value in enumerate((200.0, 300.0, 1200.0))}
    (channel, *_) = rows(show(index), "Channels")
    assert channel == [
        "CT",
        "ct",
        "series description like axial",
        "3",
        "−1,000 (−1,000 to −1,000)",
        "300 (200 to 1,200)",
        "",
    ]


def test_a_label_that_no_case_has_is_asked_about(show):
    page = show({"c-1": entry("p-1"), "c-2": entry("p-2")})
    assert rows(page, "Labels") == [["tumor", "1", "2", ""], ["edema", "2", "0", "in no case: is it meant?"]]
    assert "whole = tumor + edema; core = tumor" in page


def test_patients_of_several_cases_are_shown_with_where_they_came_from(show):
    index = {"c-1": entry("p-1"), "c-2": entry("p-2"), "c-3": entry("p-1")}
    page = show(index, sources={"c-1": "raw/a", "c-3": "raw/b"})
    assert "2 patients, 1 of them with more than one case." in page
    assert rows(page, "Patients") == [["p-1", "2", "raw/a, raw/b"]]


def test_every_case_has_its_picture_those_with_remarks_first(show):
    page = show({"c-1": entry("p-1"), "c-2": entry("p-2", labels="1,2", notes=[("gap_filled", "x")])})
    assert re.findall(r"<figure id='(.*?)'>", page) == ["c-2", "c-1"]
    assert "c-2 · 5 x 7 x 11 voxels of 3 x 3 x 3 mm · tumor, edema, 1.25 ml · gap_filled" in page


def test_a_page_of_nothing_but_refusals_can_be_made(show):
    page = show({"c-1": refused("missing_slice")})
    assert tiles(page)["Cases"] == "0"
    assert "knees &lt;1&gt;" in page
    assert "<1>" not in page


def test_what_was_taken_as_channel_and_label_is_told_numbers_alike(show):
    index = {f"c-{n}": entry(f"p-{n}") for n in (1, 2, 3)}
    taken = {
        f"c-{n}": {"CT": [f"axial, {n} files"], "tumor": [name]} for n, name in ((1, "GTV"), (2, "GTV"), (3, "<b>"))
    }
    page = show(index, taken={**taken, "c-9": {"CT": ["of a case that is gone"]}})
    assert rows(page, "Channels")[0][-1] == "axial, # files (3)"
    assert rows(page, "Labels")[0][-1] == "GTV (2), &lt;b&gt;"


def test_of_pictures_sizes_are_told_in_pixels(show):
    page = show({"c-1": entry("p-1")}, dataset=DATASET.model_copy(update={"channels": {"CT": "picture"}}))
    assert "5 x 7 x 11 pixels · tumor, 1,250 pixels" in page
    assert " mm" not in page.split("<h2>Channels</h2>")[1]
    assert " ml" not in page


def test_names_that_are_all_different_are_counted(show):
    index = {f"c-{n}": entry(f"p-{n}") for n in range(MAX_NAMED + 1)}
    names = "abcdefghijklmnopq"
    page = show(index, taken={case_id: {"CT": [f"{names[n]}.png"]} for n, case_id in enumerate(index)})
    assert rows(page, "Channels")[0][-1] == f"{MAX_NAMED + 1} names, such as a.png"


def test_words_that_only_this_machine_knows_are_shown(show):
    page = show(
        {"c-1": entry("p-1", notes=[("dropped_structure", "")])}, said={"c-1": [["dropped_structure", "Lung of Jane."]]}
    )
    assert rows(page, "Read, but") == [["dropped_structure", "1", "Lung of Jane.", "c-1"]]


def test_words_that_stayed_on_another_machine_are_said_to_be_there(show):
    page = show({"c-1": entry("p-1", notes=[("dropped_structure", "")])})
    assert rows(page, "Read, but")[0][2].startswith("(said where the study was read")
