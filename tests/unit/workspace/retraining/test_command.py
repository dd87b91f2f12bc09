"""The order of things, with stages and preparation played; that DVC and steps do theirs is tests/integration's."""

import shutil

import pytest

from lesionflow.config import Settings
from lesionflow.config.challenger import InitialWeights, Trigger
from lesionflow.config.presets import PRESETS
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.cases import write_table
from lesionflow.io.stores.promotions import write_decision
from lesionflow.workspace.retraining import command
from lesionflow.workspace.retraining.command import retrain, starts_of
from lesionflow.workspace.retraining.initial_weights import read_source
from lesionflow.workspace.retraining.news import News
from lesionflow.workspace.retraining.request import Start, read_retraining, table_before
from support.case_tables import case_table
from support.decisions import decision

NOTHING, STUDIES = News(studies=False, params=(), stages=()), News(studies=True, params=(), stages=("ingest",))
BOTH = (Start("from scratch", "none"), Start("from the champion's weights", "models:/lesionflow-phantom-ct/3"))


class Workspace:
    """A workspace whose stages are noted, and die or fail at the call that a test names."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.news, self.calls, self.said = folder, STUDIES, [], []
        self.dies_at = self.fails_at = None
        (folder / "dvc.yaml").write_text("stages: {}\n")
        (folder / "reports").mkdir()
        shutil.copyfile(PRESETS / "phantom_ct.yaml", folder / "params.yaml")
        monkeypatch.setattr(command, "find_news", lambda *_: self.news)

    def run(self, folder, say, *, until=(), extra=None):
        number = len(self.calls) + 1
        self.calls.append((until, extra["LESIONFLOW_TRIGGER"], read_source(folder / "params.yaml")))
        if number == self.dies_at:
            raise KeyboardInterrupt
        if number == self.fails_at:
            return 5
        told = decision(challenger_version=str(number), champion_version_after="3")
        write_decision(folder / "reports" / "promotion.json", told)
        return 0

    def retrain(self, because=None, initial_weights=None, starts=BOTH):
        def prepare(folder, asked, settings, say):
            say(f"asked {asked.initial_weights}")
            return starts

        return retrain(
            self.folder, because=because, initial_weights=initial_weights, settings=Settings(), say=self.said.append,
            run=self.run, prepare=prepare,
        )  # fmt: skip


@pytest.fixture
def work(tmp_path, monkeypatch):
    return Workspace(tmp_path, monkeypatch)


def test_with_nothing_new_nothing_is_done(work):
    work.news = NOTHING
    before = sorted(work.folder.rglob("*"))
    assert work.retrain(because=Trigger.SCHEDULE) == 0
    assert work.calls == []
    assert "Nothing is new" in work.said[-1]
    assert sorted(work.folder.rglob("*")) == before


def test_both_are_two_challengers_each_judged(work):
    assert work.retrain(because=Trigger.DRIFT, initial_weights=InitialWeights.BOTH) == 0
    assert work.calls == [
        (("plan",), "drift", "none"),
        ((), "drift", "none"),
        ((), "drift", "models:/lesionflow-phantom-ct/3"),
    ]
    text = "".join(work.said)
    said = "Decision: Refused. Version 3 stays champion; version 2 of lesionflow-knees does not become it."
    assert text.count(said) == 1, "each once, with what refuses before what only lacks"
    assert f"{said}\n  Too low.\n  A gain of +0.01 is not shown.\n" in text
    assert "asked both" in text
    assert read_retraining(work.folder) is None


@pytest.mark.parametrize(("studies", "because"), [(True, "data"), (False, "hand")])
def test_without_a_word_the_trigger_is_what_is_new(studies, because, work):
    work.news = News(studies=studies, params=("train",), stages=("train",))
    work.retrain(starts=BOTH[:1])
    assert {call[1] for call in work.calls} == {because}


def test_challenger_yaml_says_what_the_command_does_not(work):
    (work.folder / "challenger.yaml").write_text("because: schedule\ninitial_weights: champion\n")
    work.retrain()
    assert work.calls[0][1] == "schedule"
    assert "asked champion" in "".join(work.said)
    work.calls.clear()
    work.retrain(because=Trigger.HAND)
    assert work.calls[0][1] == "hand"


@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_killed_in_any_stage_the_same_command_goes_on_with_what_was_asked(dies_at, work):
    work.dies_at = dies_at
    with pytest.raises(KeyboardInterrupt):
        work.retrain(because=Trigger.DRIFT)
    died_in = work.calls[-1]
    work.dies_at, done = None, len(work.calls)
    # Whatever is new then, and whatever is said now.
    work.news = NOTHING
    assert work.retrain(because=Trigger.HAND) == 0
    assert work.calls[done] == died_in
    assert len(work.calls) == 4, "each stage once, and the one that died twice"
    assert {call[1] for call in work.calls} == {"drift"}


def test_after_a_refusal_that_says_use_from_scratch_that_is_used(work):
    """The request of before was remembered, and beat what was asked now without a word."""
    asked = []

    def prepare(_folder, told, *_):
        asked.append(told.initial_weights)
        if told.initial_weights is InitialWeights.CHAMPION:
            raise ConfigError("Use --from scratch.")
        return BOTH[:1]

    def give(weights):
        return retrain(
            work.folder,
            because=None,
            initial_weights=weights,
            settings=Settings(),
            say=work.said.append,
            run=work.run,
            prepare=prepare,
        )

    for weights in (InitialWeights.CHAMPION, None):
        with pytest.raises(ConfigError, match="--from scratch"):
            give(weights)
    assert give(InitialWeights.SCRATCH) == 0
    assert asked == [InitialWeights.CHAMPION, InitialWeights.CHAMPION, InitialWeights.SCRATCH]


def test_once_a_challenger_was_judged_others_are_begun_only_when_it_is_dropped(work):
    work.fails_at = 3
    assert work.retrain(initial_weights=InitialWeights.BOTH) == 5
    with pytest.raises(
        ConfigError, match=r"1 of 2 challengers judged, found --from scratch.*remove reports/retraining"
    ):
        work.retrain(initial_weights=InitialWeights.SCRATCH)
    work.fails_at = None
    assert work.retrain() == 0


def test_what_a_withdrawal_took_out_of_the_record_stops_no_retraining(work, monkeypatch):
    def gone(*_):
        raise ArtifactError("Expected the recorded data/cases in DVC's cache or remote, found nothing more.")

    monkeypatch.setattr(command, "recorded_table", gone)
    with pytest.raises(ArtifactError, match="recorded data/cases"):
        work.retrain()
    write_table(work.folder / "data" / "cases", case_table(3))
    seen = []
    retrain(
        work.folder,
        because=None,
        initial_weights=None,
        settings=Settings(),
        say=work.said.append,
        run=work.run,
        prepare=lambda folder, *_: seen.append(table_before(folder)) or BOTH[:1],
    )
    assert list(seen[0]["case_id"]) == list(case_table(3)["case_id"])
    assert "as after a withdrawal" in "".join(work.said)


def test_killed_between_a_decision_and_its_note_nothing_is_trained_twice_but_asked_of_dvc(work, monkeypatch):
    real, noted = command.write_retraining, []

    def dies(folder, retraining):
        noted.append(retraining)
        if retraining.n_done == 1:
            raise KeyboardInterrupt
        real(folder, retraining)

    monkeypatch.setattr(command, "write_retraining", dies)
    with pytest.raises(KeyboardInterrupt):
        work.retrain()
    monkeypatch.setattr(command, "write_retraining", real)
    work.retrain()
    assert [call[2] for call in work.calls] == ["none", "none", "none", "models:/lesionflow-phantom-ct/3"]


def test_a_stage_that_fails_gives_its_code_and_is_gone_on_with(work):
    work.fails_at = 2
    assert work.retrain() == 5
    assert read_retraining(work.folder).starts == BOTH
    work.fails_at = None
    assert work.retrain() == 0


def test_how_challengers_begin(work):
    params, champion = work.folder / "params.yaml", "models:/knees/3"
    scratch, warm = Start("from scratch", "none"), Start("from the champion's weights (models:/knees/3)", champion)
    assert starts_of(None, params, champion, may_warm_start=True) == (scratch,)
    assert starts_of(InitialWeights.BOTH, params, champion, may_warm_start=True) == (scratch, warm)
    assert starts_of(InitialWeights.CHAMPION, params, champion, may_warm_start=True) == (warm,)
    assert starts_of(InitialWeights.BOTH, params, None, may_warm_start=True) == (scratch,)
    with pytest.raises(ConfigError, match="found none yet"):
        starts_of(InitialWeights.CHAMPION, params, None, may_warm_start=True)


def test_who_was_withdrawn_is_not_learned_from_by_way_of_the_champion(work):
    params = work.folder / "params.yaml"
    assert starts_of(InitialWeights.BOTH, params, "models:/knees/3", may_warm_start=False) == (
        Start("from scratch", "none"),
    )
    with pytest.raises(ConfigError, match="withdrawn"):
        starts_of(InitialWeights.CHAMPION, params, "models:/knees/3", may_warm_start=False)
    command.set_source(params, "models:/knees/2")
    with pytest.raises(ConfigError, match="withdrawn"):
        starts_of(None, params, "models:/knees/3", may_warm_start=False)
