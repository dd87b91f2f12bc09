"""Sections of descriptions in MLflow: each is replaced by itself, and what a person wrote stays."""

from pathlib import Path

import mlflow
import pytest

from lesionflow.config.sqlite_address import sqlite_address
from lesionflow.registry.pages.descriptions import (
    describe_run,
    describe_version,
    fit_store,
    put_section,
    shorten_sections,
)
from lesionflow.registry.tracking import Tracker
from support.versions import store_of_versions

NAME = "lesionflow-knees"


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return store_of_versions(tmp_path_factory.mktemp("store"))


def test_a_section_is_put_in_front_once_and_replaced_then():
    once = put_section("By hand.", "decision", "first")
    assert once.endswith("By hand.")
    twice = put_section(put_section(once, "card", "C"), "decision", r"second \1")
    assert twice.count("<!-- lesionflow:decision -->") == 1
    assert "first" not in twice
    assert r"second \1" in twice
    assert "C" in twice


def test_a_description_begins_with_what_it_says_and_one_of_before_is_replaced_whole():
    assert put_section("", "decision", "**Worse.** Version 1 stays.\n\nWhy.").startswith(
        "**Worse.** Version 1 stays. <!--"
    )
    before = "Mine.\n\n<!-- lesionflow:decision -->\n### Decision\n\nOld.\n<!-- /lesionflow:decision -->\n\nMine too."
    now = put_section(before, "decision", "New.\n\nWhy.")
    assert now == "Mine.\n\nNew. <!-- lesionflow:decision -->\n\nWhy.\n<!-- /lesionflow:decision -->\n\nMine too."


def test_what_a_store_does_not_take_is_left_out_of_the_last_sections_and_said_and_a_persons_words_stay():
    rows = "\n".join(f"| rule {number} | yes |" for number in range(300))
    text = put_section(put_section("Mine.", "card", f"# Card\n\n{rows}"), "decision", f"**Worse.**\n\n{rows}")
    short = shorten_sections(text, 5000)
    assert 4800 < len(short) <= 5000
    assert short.startswith("**Worse.** <!-- lesionflow:decision -->")
    assert short.endswith("Mine.")
    assert short.count("All of it is among the artifacts.") == 2
    assert all(line.endswith("|") for line in short.splitlines() if line.startswith("| rule"))
    card, decision = (
        short.index("# Card"),
        short.index("| rule 200 |") if "| rule 200 |" in short else short.rindex("| rule"),
    )
    assert decision < card, "of the card only the beginning is left"
    assert shorten_sections(text, len(text)) == text
    again = put_section(short, "decision", "**Superior.**\n\nBetter.")
    assert "Worse" not in again
    assert len(shorten_sections("Mine. " * 2000, 5000)) == 12000


@pytest.mark.parametrize(
    ("address", "is_whole"),
    [
        ("sqlite:////w/mlflow.db", True),
        (sqlite_address(Path("/w/a%20b/mlflow.db")), True),
        ("postgresql://host/mlflow", False),
        ("https://mlflow", False),
    ],
)
def test_only_a_file_takes_a_description_of_any_length(address, is_whole):
    text = put_section("", "card", "# Card\n" + "a line\n" * 2000)
    assert (fit_store(text, address) == text) is is_whole
    assert is_whole or len(fit_store(text, address)) <= 5000


def test_a_runs_page_takes_a_decision_of_any_length(uri):
    tracker = Tracker(uri, "knees")
    run_id = tracker.start_run("train")
    describe_run(tracker, run_id, "decision", "**Worse.**\n\n" + "| a rule | no |\n" * 1000)
    note = tracker.client.get_run(run_id).data.tags["mlflow.note.content"]
    assert note.endswith("<!-- /lesionflow:decision -->\n")
    assert len(note) <= 8000


def test_a_versions_page_holds_sections_of_several_steps(uri):
    client = mlflow.MlflowClient(uri)
    client.update_model_version(NAME, "1", "What a person wrote.")
    describe_version(NAME, "1", "card", "The card.", uri)
    describe_version(NAME, "1", "decision", "Promoted.", uri)
    describe_version(NAME, "1", "decision", "Refused.", uri)
    text = client.get_model_version(NAME, "1").description
    assert [part in text for part in ("What a person wrote.", "The card.", "Refused.", "Promoted.")] == [
        True,
        True,
        True,
        False,
    ]


def test_a_run_that_describes_itself_may_be_described_anew_one_of_a_person_not(uri):
    tracker = Tracker(uri, "knees")
    run_id = tracker.start_run("train")
    tracker.describe(run_id, "Scores.")
    describe_run(tracker, run_id, "decision", "Promoted.")
    note = tracker.client.get_run(run_id).data.tags["mlflow.note.content"]
    assert "Promoted." in note
    assert "Scores." in note
    tracker.describe(run_id, "Scores anew.")
    assert tracker.client.get_run(run_id).data.tags["mlflow.note.content"] == "Scores anew."
    tracker.client.set_tag(run_id, "mlflow.note.content", "Mine.")
    describe_run(tracker, run_id, "decision", "Refused.")
    tracker.describe(run_id, "Scores.")
    assert "Mine." in tracker.client.get_run(run_id).data.tags["mlflow.note.content"]
