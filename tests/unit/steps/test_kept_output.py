import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from lesionflow.config import Settings
from lesionflow.errors import ArtifactError, ConfigError, ConflictError
from lesionflow.io.project_store.store import ProjectStore
from lesionflow.steps.kept_output import run_kept

SETTINGS = Settings(pseudonym_key="a key")


def _counting(config, inputs, outputs, settings):
    """Go on from what lies there, as a step does: one more line."""
    folder = outputs["cases"]
    folder.mkdir(parents=True, exist_ok=True)
    before = (folder / "lines").read_text() if (folder / "lines").exists() else ""
    (folder / "lines").write_text(before + config.line)
    return {"n_before": float(len(before))}


def _run(store, where, line="x", *, run=_counting, continues=True, settings=SETTINGS, **section):
    config = SimpleNamespace(**{"dataset_name": "liver", "line": line} | section)
    outputs = {"cases": Path(where) / "cases"}
    return run_kept(run, config, {"raw": Path(where)}, outputs, settings, project_store=str(store), continues=continues)


def test_a_step_on_an_empty_machine_goes_on_from_the_last_one(tmp_path):
    store = tmp_path / "store"
    assert [_run(store, tmp_path / pod)["n_before"] for pod in ("one", "two", "three")] == [0, 1, 2]
    assert (tmp_path / "three" / "cases" / "lines").read_text() == "xxx"
    assert ProjectStore(str(store)).latest("cases").number == 3


def test_one_that_does_not_go_on_only_keeps_what_it_made(tmp_path):
    store = tmp_path / "store"
    assert [_run(store, tmp_path / pod, continues=False)["n_before"] for pod in ("one", "two")] == [0, 0]
    assert ProjectStore(str(store)).latest("cases").number == 1


def test_a_retried_pod_goes_on_from_its_own_half(tmp_path):
    store, half = tmp_path / "store", tmp_path / "two" / "cases"
    _run(store, tmp_path / "one")
    half.mkdir(parents=True)
    (half / "lines").write_text("half")
    assert _run(store, tmp_path / "two")["n_before"] == 4


def test_of_two_runs_at_once_the_slower_one_goes_on_from_the_faster(tmp_path, caplog):
    store, calls = tmp_path / "store", []
    caplog.set_level(logging.WARNING)

    def slow(config, inputs, outputs, settings):
        if not calls:
            calls.append("the other run, from beginning to end")
            _run(store, tmp_path / "fast", "fast ")
        return _counting(config, inputs, outputs, settings)

    _run(store, tmp_path / "slow", "slow", run=slow)
    assert (tmp_path / "slow" / "cases" / "lines").read_text() == "fast slow"
    assert ProjectStore(str(store)).latest("cases").number == 2
    assert "another run of this project was faster" in caplog.text


def test_who_is_always_slower_is_told(tmp_path):
    store = tmp_path / "store"

    def slow(config, inputs, outputs, settings):
        _run(store, tmp_path / f"fast-{len(list(tmp_path.iterdir()))}", "fast ")
        return _counting(config, inputs, outputs, settings)

    with pytest.raises(ConflictError, match="another run kept one meanwhile"):
        _run(store, tmp_path / "slow", run=slow)


def test_another_projects_store_is_refused_by_what_differs(tmp_path):
    store = tmp_path / "store"
    _run(store, tmp_path / "one")
    with pytest.raises(ArtifactError, match="another dataset"):
        _run(store, tmp_path / "two", dataset_name="lung")
    with pytest.raises(ArtifactError, match="the same pseudonym key"):
        _run(store, tmp_path / "two", settings=Settings(pseudonym_key="another"))
    _run(store, tmp_path / "one", model_name="m")
    with pytest.raises(ArtifactError, match="another model"):
        _run(store, tmp_path / "two", model_name="n")
    assert not (tmp_path / "two").exists()


def test_a_pod_without_the_teams_key_refuses_before_it_makes_one_of_its_own(tmp_path):
    private = tmp_path / "private"
    with pytest.raises(ConfigError, match="LESIONFLOW_PSEUDONYM_KEY"):
        _run(tmp_path / "store", tmp_path / "one", settings=Settings(pseudonym_key=None, private_dir=private))
    assert not private.exists()
