"""What says a word, packed by the standard library, and what is left without it."""

import csv
import gzip
import json
import sqlite3
import zipfile

import pandas as pd
import pytest

from lesionflow.io.redaction import mentions, redact, without_words

WORDS = ("c-00000000000a", "Quintessa")
TABLE = pd.DataFrame({"case_id": ["c-00000000000a", "c-00000000000b"], "dice": [0.25, 0.75]})


def write(path, form):
    if form == "gz":
        path.write_bytes(gzip.compress(b"... Quintessa ..."))
    elif form == "npz in zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.gz", gzip.compress(b"Quintessa"))
    elif form == "parquet":
        TABLE.to_parquet(path, compression="zstd")
    elif form == "sqlite":
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE t (a TEXT)")
            database.execute("INSERT INTO t VALUES (?)", ("x" * 4050 + "Quintessa" + "y" * 9000,))
    else:
        path.write_bytes(b"\0\xff Quintessa \xff")


@pytest.mark.parametrize("form", ["plain", "gz", "npz in zip", "parquet", "sqlite"])
def test_a_word_is_found_however_it_is_packed(tmp_path, form):
    write(tmp_path / "file", form)
    assert mentions(tmp_path / "file", WORDS)
    assert not mentions(tmp_path / "file", ("Barnaby",))


def test_a_name_says_it_too_and_what_cant_be_unpacked_says_nothing(tmp_path):
    (tmp_path / "of Quintessa").write_bytes(b"")
    assert mentions(tmp_path / "of Quintessa", WORDS)
    for number, content in enumerate((b"\x1f\x8b broken", b"PK\x03\x04 broken", b"PAR1 broken")):
        (tmp_path / str(number)).write_bytes(content)
        assert not mentions(tmp_path / str(number), WORDS)


def test_tables_lose_their_rows_and_nothing_else(tmp_path):
    TABLE.to_parquet(tmp_path / "t.parquet")
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "t.json").write_text(json.dumps({"columns": ["case_id", "dice"], "data": TABLE.to_numpy().tolist()}))
    for name in ("t.parquet", "t.csv", "t.json"):
        assert redact(tmp_path / name, WORDS)
        assert not redact(tmp_path / name, WORDS), "once more there is nothing to do"
    assert pd.read_parquet(tmp_path / "t.parquet").to_numpy().tolist() == [["c-00000000000b", 0.75]]
    with (tmp_path / "t.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["case_id", "dice"], ["c-00000000000b", "0.75"]]
    assert json.loads((tmp_path / "t.json").read_text())["data"] == [["c-00000000000b", 0.75]]


@pytest.mark.parametrize(
    ("name", "content"), [("p.html", b"Quintessa"), ("broken.json", b"{Quintessa"), ("Quintessa.csv", b"a\n")]
)
def test_what_is_no_table_or_is_named_so_goes(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert redact(tmp_path / name, WORDS)
    assert not (tmp_path / name).exists()


def test_parts_of_plain_values():
    value = {
        "test": ["c-00000000000a", "c-00000000000b"],
        "folds": [{"train": ["c-00000000000a"], "validation": []}],
        "c-00000000000a": {"key": 1},
        "rows": [{"case_id": "c-00000000000a", "n": 1}, {"case_id": "other", "n": 2}],
        "text": "of Quintessa",
        "n": 3,
    }
    assert without_words(value, WORDS) == {
        "test": ["c-00000000000b"],
        "folds": [{"train": [], "validation": []}],
        "rows": [{"case_id": "other", "n": 2}],
        "n": 3,
    }
