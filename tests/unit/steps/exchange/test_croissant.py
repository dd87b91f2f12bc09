"""Metadata of the data: each column of the case table as pandas reads it, the file by its hash."""

import hashlib
import json

import pandas as pd

from lesionflow.steps.exchange.croissant import write_croissant
from support.case_folders import write_cases


def test_the_table_is_described_as_it_lies_there(tmp_path):
    write_cases(tmp_path / "cases", 3)
    n = write_croissant(tmp_path / "cases", tmp_path / "croissant.json")
    said = json.loads((tmp_path / "croissant.json").read_text())
    table = pd.read_parquet(tmp_path / "cases" / "cases.parquet")
    (file,) = said["distribution"]
    assert file["sha256"] == hashlib.sha256((tmp_path / "cases" / "cases.parquet").read_bytes()).hexdigest()
    assert said["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert said["description"].startswith("3 studies of 3 patients: CT (ct)")
    (records,) = said["recordSet"]
    assert [field["source"]["extract"]["column"] for field in records["field"]] == list(table)
    assert len(table.columns) == n
    kinds = {field["name"]: field["dataType"] for field in records["field"]}
    expected = {"case_id": "sc:Text", "n_slices": "sc:Integer", "has_mask": "sc:Boolean", "spacing_row_mm": "sc:Float"}
    assert {name: kinds[name] for name in expected} == expected
    assert {field["source"]["fileObject"]["@id"] for field in records["field"]} == {file["@id"]}
