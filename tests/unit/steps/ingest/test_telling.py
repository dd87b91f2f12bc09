import pytest

from lesionflow.errors import InputError
from lesionflow.io.stores.case_index import Entry
from lesionflow.io.stores.private import known_said, known_taken
from lesionflow.steps.ingest.telling import A_BATCH, MAX_SAID, Telling


@pytest.fixture
def telling(tmp_path, caplog):
    caplog.set_level("INFO")
    return Telling(tmp_path)


def entry(*notes):
    return Entry("k", {}, {}, {}, notes)


def test_words_stay_with_the_team_and_codes_go_on(telling, tmp_path):
    notes = (("dropped_structure", "GTV of Dr Smith."), ("mask_color", "inside: red"))
    shared = telling.read("c-1", entry(*notes), {"CT": ["Smith_axial"]})
    assert shared.notes == (("dropped_structure", ""), ("mask_color", "inside: red"))
    telling.finish()
    assert known_said(tmp_path) == {"c-1": [list(note) for note in notes]}
    assert known_taken(tmp_path) == {"c-1": {"CT": ["Smith_axial"]}}


def test_the_first_of_each_kind_are_logged_and_all_are_counted(telling, caplog):
    for n in range(MAX_SAID + 2):
        telling.refused(f"c-{n}", InputError("Expected slices.", reason="missing_slice"))
    telling.refused("c-9", InputError("Expected one.", reason="localizer"))
    telling.finish()
    said = [record.message for record in caplog.records]
    assert [line.startswith("Study") for line in said] == [True] * (MAX_SAID + 1) + [False]
    assert said[-1].startswith(f"missing_slice: {MAX_SAID + 2} studies in all")


def test_a_kill_costs_no_more_than_a_batch(telling, tmp_path):
    for n in range(A_BATCH + 1):
        telling.read(f"c-{n}", entry(("gap_filled", "x")), {})
    assert len(known_said(tmp_path)) == A_BATCH
