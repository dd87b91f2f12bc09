"""The story from nothing, at a terminal, with real trainings: a first champion, new data, challengers that are worse, alike and better, the way back.

A chapter is a command or a few; what stands in registry and ledger after it is asserted, and what a newcomer is told. Ten minutes of a
processor: LESIONFLOW_TEST_WHOLE=1.
"""

import os

import pytest
import yaml

from support.pages import read_rows
from support.terminal import Terminal, Told

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(
        os.environ.get("LESIONFLOW_TEST_WHOLE") != "1", reason="four trainings: LESIONFLOW_TEST_WHOLE=1"
    ),
]
N_PATIENTS, N_NEW = 30, 3
WHO = ("--name", "A. Smith", "--reason", "misses small tumors")
#: What differs from the preset, so that each training takes seconds; nobody is stopped by the clock, as a busy machine would decide then.
SMALL = {
    "split": {"test_fraction": 0.45},
    "train": {"max_epochs": 3, "batches_per_epoch": 12, "max_minutes": 600.0, "max_validation_slices_per_case": 4},
}
#: Statistics of batches move with each batch, however small the steps: a challenger of nearly the champion's weights was better by 0.02 with them.
NETWORK = {"base_channels": 8, "depth": 3, "normalization": "instance"}
#: The first champion of this story is no good one, so that there is room for a better one.
FLOORS = [{"metric": "dice", "target": "all", "min_score": 0.05}]
#: A network that finds everything, and much that is nothing, has a recall that no better one of this story keeps.
WATCHED = [
    {"metric": "dice", "target": "all", "margin": 0.02},
    {"metric": "surface_dice_2mm", "target": "all", "margin": 0.03},
]
WORSE = {"max_epochs": 1, "batches_per_epoch": 1}
#: Steps so small that no voxel changes: by 1e-6 the mean Dice fell by 0.00007, in so many patients that this was a loss shown.
ALIKE = {"max_epochs": 1, "batches_per_epoch": 2, "learning_rate": 1.0e-9}
BETTER = {"max_epochs": 20, "batches_per_epoch": 25, "learning_rate": 3.0e-3}


def decided(told: Told) -> list[str]:
    """The lines that a command ends with, from the last decision on."""
    lines = told.out.splitlines()
    begin = max(number for number, line in enumerate(lines) if line.startswith("Decision: "))
    return [line for line in lines[begin:] if line]


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    return Terminal(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def first(terminal: Terminal) -> Told:
    """Studies, a workspace, a first run."""
    terminal.give("phantom", "studies", "--cases", str(N_PATIENTS), "--seed", "7")
    terminal.give("init", "work", "--preset", "phantom_ct")
    terminal.edit("params.yaml", **SMALL)
    plan = yaml.safe_load((terminal.work / "params.yaml").read_text())["plan"]
    options = plan["architecture"]["options"] | NETWORK
    terminal.edit("params.yaml", plan={"architecture": {"name": "unet", "options": options}})
    terminal.edit("change_plan.yaml", floors=FLOORS, noninferiority=WATCHED)
    terminal.in_work("data", "add", "studies/dicom")
    return terminal.in_work("run")


@pytest.fixture(scope="module")
def worse(terminal: Terminal, first: Told) -> Told:
    """New patients come, and the network that learns from them hardly learns."""
    terminal.give("phantom", "new", "--cases", str(N_NEW), "--seed", "7", "--first", "200")
    terminal.in_work("data", "add", "new/dicom")
    terminal.edit("params.yaml", train=WORSE)
    return terminal.in_work("retrain", "--because", "data")


@pytest.fixture(scope="module")
def alike(terminal: Terminal, worse: Told) -> Told:
    """The champion's weights, moved by next to nothing."""
    terminal.edit("params.yaml", train=ALIKE)
    return terminal.in_work("retrain", "--because", "hand", "--from", "champion")


@pytest.fixture(scope="module")
def better(terminal: Terminal, alike: Told) -> Told:
    """The champion learns on, as long as it takes."""
    terminal.edit("params.yaml", train=BETTER)
    return terminal.in_work("retrain", "--because", "hand", "--from", "champion")


def test_the_first_that_reaches_the_floors_is_champion(terminal: Terminal, first: Told) -> None:
    assert decided(first)[0] == "Decision: The first champion. Version 1 of lesionflow-phantom-ct is the champion now."
    assert decided(first)[1].startswith("  Mean Dice of tumor 0.")
    assert terminal.version("champion")["version"] == "1"
    assert [facts["by"] for facts in terminal.ledger("champion")] == ["gate"]


def test_a_worse_one_is_refused_with_reasons_and_the_champion_stays(terminal: Terminal, worse: Told) -> None:
    decision = terminal.ledger("decision")[-1]
    # Where it harms some patients, that is said before its mean.
    assert decision["verdict"] in {"worse", "refused"}
    assert (decision["promote"], decision["version"]) == (False, "2")
    told = decided(worse)
    verdict = decision["verdict"].capitalize()
    assert (
        told[0]
        == f"Decision: {verdict}. Version 1 stays champion; version 2 of lesionflow-phantom-ct does not become it."
    )
    assert any(line.startswith("  Mean gain in Dice of all targets -0.") for line in told)
    assert not [line for line in told if "_" in line.replace("reports/", "")], "a metric's key is no word"
    assert terminal.version("champion")["version"] == "1"


def test_one_that_is_alike_is_not_told_apart(terminal: Terminal, alike: Told) -> None:
    decision = terminal.ledger("decision")[-1]
    assert (decision["promote"], decision["version"]) == (False, "3")
    assert decision["verdict"] in {"can't tell", "non-inferior"}
    assert "Version 1 stays champion; version 3" in decided(alike)[0]
    assert terminal.version("champion")["version"] == "1"


def test_a_better_one_is_promoted_and_all_pages_say_so(terminal: Terminal, better: Told) -> None:
    decision = terminal.ledger("decision")[-1]
    assert (decision["verdict"], decision["promote"], decision["version"]) == ("superior", True, "4")
    assert decided(better)[0] == (
        "Decision: Superior. Version 4 of lesionflow-phantom-ct is the champion now; it was version 1."
    )
    made = terminal.version("champion")
    assert (made["version"], made["tags"]["promotion.verdict"]) == ("4", "superior")
    assert "Version 4 of lesionflow-phantom-ct is the champion now; it was version 1." in terminal.page("decision.html")
    assert "<object data='../decision.html'" in terminal.page("evaluation/report.html")
    assert "better by" in terminal.in_work("compare", "1", "champion").out
    listed = terminal.in_work("models", "list").out
    assert [line.split()[1] for line in listed.splitlines() if line.startswith("lesionflow-phantom-ct")] == [
        "4",
        "3",
        "2",
        "1",
    ]
    assert "NOT HELD" not in terminal.in_work("models", "verify").out


def test_the_way_back_takes_one_command_and_the_document_tells_all_of_it(terminal: Terminal, better: Told) -> None:
    said = terminal.in_work("models", "rollback", *WHO).out
    assert "champion was 4, is 1. Version 4 stays barred" in said
    assert terminal.in_work("models", "rollback", *WHO).out == said
    assert terminal.version("champion")["version"] == "1"
    refused = terminal.in_work("models", "promote", "4", "--name", "B. Jones", "--reason", "it scored better", code=5)
    assert "barred on" in refused.err
    assert "misses small tumors" in refused.err
    told = terminal.in_work("models", "history").out
    assert [line.split()[0] for line in told.splitlines()[1:4]] == ["1", "4", "1"]
    assert "NOT HELD" not in terminal.in_work("models", "verify").out
    terminal.in_work("change-plan", "document")
    decided = [row[3:5] for row in read_rows(terminal.page("change_plan.html")) if len(row) == 9][1:]
    worse, verdict = (facts["verdict"] for facts in terminal.ledger("decision")[1:3])
    assert decided == [
        ["by the gate: first", "became champion"],
        [f"by the gate: {worse}", "did not become champion"],
        [f"by the gate: {verdict}", "did not become champion"],
        ["by the gate: superior", "became champion"],
        ["rollback", "became champion; version 4 is barred"],
    ]


def test_with_nothing_new_nothing_is_done(terminal: Terminal, better: Told) -> None:
    before = terminal.ledger("decision", "champion", "retrain")
    assert "Nothing is new" in terminal.in_work("retrain", "--because", "schedule").out
    assert terminal.ledger("decision", "champion", "retrain") == before
