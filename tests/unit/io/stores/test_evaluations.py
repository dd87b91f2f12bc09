"""An evaluation on disk: what it is of, its scores, its tables for programs and for people."""

import json

import pandas as pd
import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.stores.evaluations import (
    ABOUT,
    CASES,
    METRICS_FILE,
    parse_evaluation,
    read_about,
    read_evaluation,
    read_metrics,
    read_scores,
    write_tables,
)

TABLE = pd.DataFrame(
    {"case_id": ["c-1", "c-2"], "patient_id": ["p-1", "p-2"], "target": "tumor", "dice": [0.25, float("nan")]}
)
KNOWN = {"run_id": "r-1", "test_set_sha256": "t" * 64, "bundle_digest": "b" * 64}


@pytest.fixture
def folder(tmp_path):
    write_tables(tmp_path, {"cases": TABLE})
    (tmp_path / ABOUT).write_text(json.dumps(KNOWN))
    (tmp_path / METRICS_FILE).write_text('{"dice": {"mean": 0.25}}')
    return tmp_path


def test_an_evaluation_comes_back(folder) -> None:
    found = read_evaluation(folder, "knees version 3")
    assert (found.name, found.run_id, found.test_set_sha256, found.bundle_digest) == (
        "knees version 3",
        *KNOWN.values(),
    )
    pd.testing.assert_frame_equal(found.cases, TABLE)
    assert read_metrics(folder) == {"dice": {"mean": 0.25}}


def test_people_read_the_same_figures_as_programs(folder) -> None:
    assert (folder / "cases.csv").read_text().splitlines() == [
        "case_id,patient_id,target,dice",
        "c-1,p-1,tumor,0.25",
        "c-2,p-2,tumor,",
    ]


@pytest.mark.parametrize("name", [ABOUT, CASES])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}"])
def test_each_file_that_is_gone_or_broken_is_refused_by_the_models_name(folder, name, content) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(ArtifactError, match="knees version 3"):
        read_evaluation(folder, "knees version 3")


@pytest.mark.parametrize("key", KNOWN)
def test_each_key_is_needed(folder, key) -> None:
    about = json.dumps({k: v for k, v in KNOWN.items() if k != key}).encode()
    with pytest.raises(ArtifactError, match=key):
        parse_evaluation(about, (folder / CASES).read_bytes(), "knees")


def test_an_evaluation_of_another_bundle_is_refused(folder) -> None:
    assert read_about(folder, "b" * 64) == KNOWN
    with pytest.raises(ArtifactError, match="Run evaluate again"):
        read_about(folder, "c" * 64)


def test_scores_need_the_metric_that_is_asked_for(folder) -> None:
    pd.testing.assert_frame_equal(read_scores(folder, "dice"), TABLE)
    with pytest.raises(ArtifactError, match="hd95_mm"):
        read_scores(folder, "hd95_mm")
    (folder / CASES).write_bytes(b"words")
    with pytest.raises(ArtifactError, match="Run evaluate again"):
        read_scores(folder, "dice")


@pytest.mark.parametrize("content", ["{}", '{"dice": 0.5}', '{"dice": {"low": 0.5}}', "[" * 100_000])
def test_metrics_without_figures_are_refused(folder, content) -> None:
    (folder / METRICS_FILE).write_text(content)
    with pytest.raises(ArtifactError, match="Run"):
        read_metrics(folder)
