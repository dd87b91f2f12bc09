"""What is taken out of a store's files and database, looked at by sqlite3; the whole of a run is held in the planted patient's test."""

import json
import sqlite3

import pytest

from lesionflow.registry.erasure import erase_mentions, find_learned

CASE, OTHER = "c-00000000000a", "c-00000000000b"


@pytest.fixture
def store(tmp_path):
    """Tables as MLflow names them, and files of one run and one bundle."""
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("CREATE TABLE metrics (key VARCHAR(250), value FLOAT)")
        database.execute("CREATE TABLE tags (key VARCHAR(250), value VARCHAR(8000))")
        database.execute("CREATE TABLE runs (run_uuid VARCHAR(32), name VARCHAR(250))")
        database.executemany("INSERT INTO metrics VALUES (?, ?)", [(f"dice/{CASE}", 0.1), (f"dice/{OTHER}", 0.2)])
        database.executemany("INSERT INTO tags VALUES (?, ?)", [("note", f"worst {CASE}, then {OTHER}"), (CASE, "x")])
        database.execute("INSERT INTO runs VALUES ('1', ?)", (f"look at {CASE}",))
    run, bundle = (
        tmp_path / "mlartifacts/knees/run/artifacts",
        tmp_path / "mlartifacts/knees/models/m-1/artifacts/bundle",
    )
    for folder in (run / "images", run / "evaluation", bundle):
        folder.mkdir(parents=True)
    for name in (f"cases~{CASE}.png", f"cases~{OTHER}.png", "samples.png"):
        (run / "images" / name).write_bytes(b"pixels")
    (run / "evaluation" / "rows.json").write_text(json.dumps({"data": [[CASE, 1], [OTHER, 2]]}))
    (bundle / "card.json").write_text(json.dumps({"trained_cases": [CASE]}))
    return tmp_path


def test_rows_named_by_a_case_go_and_texts_lose_the_word(store):
    done = erase_mentions(f"sqlite:///{store}/mlflow.db", (CASE,))
    with sqlite3.connect(store / "mlflow.db") as database:
        assert database.execute("SELECT key FROM metrics").fetchall() == [(f"dice/{OTHER}",)]
        assert database.execute("SELECT * FROM tags").fetchall() == [("note", f"worst withdrawn, then {OTHER}")]
        assert database.execute("SELECT name FROM runs").fetchall() == [("look at withdrawn",)]
    assert CASE.encode() not in (store / "mlflow.db").read_bytes(), "nor in pages that are free"
    assert done.n_rows == 4


def test_pictures_of_the_case_or_of_several_go_others_stay_and_bundles_are_named(store):
    done = erase_mentions(f"sqlite:///{store}/mlflow.db", (CASE,))
    images = store / "mlartifacts/knees/run/artifacts/images"
    assert [path.name for path in images.iterdir()] == [f"cases~{OTHER}.png"]
    rows = json.loads((images.parent / "evaluation/rows.json").read_text())
    assert rows == {"data": [[OTHER, 2]]}
    (kept,) = done.kept
    assert kept.startswith("mlartifacts/knees/models/m-1/artifacts/bundle/card.json")


def test_a_snapshot_of_what_is_shared_stays_as_it_was_sealed_and_is_named(store):
    snapshot = store / "mlartifacts/knees.state/run/artifacts/snapshots/0a/splits.json"
    snapshot.parent.mkdir(parents=True)
    snapshot.write_text(json.dumps({"test": [CASE, OTHER]}))
    before = snapshot.read_bytes()
    kept = erase_mentions(f"sqlite:///{store}/mlflow.db", (CASE,)).kept
    assert snapshot.read_bytes() == before
    (told,) = [line for line in kept if "snapshots" in line]
    assert told.startswith("mlartifacts/knees.state: 1 files of older snapshots")


def test_a_server_is_named_and_a_store_that_is_not_there_holds_nothing(tmp_path):
    assert "ask its owner" in erase_mentions("http://127.0.0.1:9", (CASE,)).kept[0]
    assert erase_mentions(f"sqlite:///{tmp_path}/none.db", (CASE,)) == (0, 0, ())
    assert find_learned(f"sqlite:///{tmp_path}/none.db", (CASE,)) == ()
