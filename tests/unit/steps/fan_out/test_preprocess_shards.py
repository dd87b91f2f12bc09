"""Arrays made in parts and joined are those that one makes, byte for byte; what is missing or altered is named."""

import shutil
from pathlib import Path

import pytest

from lesionflow.cohort.shard import Shard
from lesionflow.config import PreprocessConfig, Settings
from lesionflow.errors import ArtifactError, DataQualityError
from lesionflow.io.stores.cases import mask_path, read_table
from lesionflow.io.stores.preprocessed import case_file
from lesionflow.steps.fan_out.preprocess_shards import join_preprocess_shards, preprocess_shard
from lesionflow.steps.preprocess import run
from support.bundles import small_plan
from support.case_folders import write_cases

N_CASES, N_PARTS = 5, 3
SETTINGS = Settings(workers=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    write_cases(tmp_path / "cases", N_CASES)
    (tmp_path / "plan.json").write_text(small_plan().model_dump_json())
    return tmp_path


def in_parts(work: Path, out: str, known: Path | None = None, fraction: float = 0.0) -> dict[str, float]:
    inputs = {"cases": work / "cases", "plan": work / "plan.json"}
    config = PreprocessConfig(max_failed_fraction=fraction)
    for number in range(N_PARTS):
        part = work / f"{out}-part-{number}"
        preprocess_shard(config, inputs, part, SETTINGS, Shard(number, N_PARTS), known)
        inputs[f"part-{number}"] = part
    return join_preprocess_shards(config, inputs, {"preprocessed": work / out}, SETTINGS)


def whole(work: Path, out: str, fraction: float = 0.0) -> dict[str, float]:
    inputs = {"cases": work / "cases", "plan": work / "plan.json"}
    return run(PreprocessConfig(max_failed_fraction=fraction), inputs, {"preprocessed": work / out}, SETTINGS)


def test_parts_joined_are_the_bytes_of_the_whole(work: Path) -> None:
    assert in_parts(work, "joined") == whole(work, "whole")
    assert contents(work / "joined") == contents(work / "whole")
    sizes = [len(list((work / f"joined-part-{number}").glob("*.zip"))) for number in range(N_PARTS)]
    assert max(sizes) < N_CASES


def test_what_is_known_is_not_made_again_and_what_is_gone_goes(work: Path) -> None:
    in_parts(work, "joined")
    before = contents(work / "joined")
    counts = in_parts(work, "joined", known=work / "joined")
    assert (counts["n_made"], counts["n_kept"]) == (0.0, N_CASES)
    assert contents(work / "joined") == before


def test_a_case_that_is_lost_in_a_part_counts_among_all(work: Path) -> None:
    case_id = read_table(work / "cases")["case_id"][0]
    mask_path(work / "cases", case_id).unlink()
    assert in_parts(work, "joined", fraction=0.2) == whole(work, "whole", fraction=0.2)
    assert contents(work / "joined") == contents(work / "whole")
    with pytest.raises(DataQualityError, match="no_outline"):
        in_parts(work, "refused", fraction=0.19)


@pytest.mark.parametrize("harm", ["altered", "missing part", "twice"])
def test_parts_that_are_not_whole_are_refused(work: Path, harm: str) -> None:
    in_parts(work, "joined")
    inputs = {"cases": work / "cases", "plan": work / "plan.json"}
    inputs |= {f"part-{number}": work / f"joined-part-{number}" for number in range(N_PARTS)}
    case_id = read_table(work / "cases")["case_id"][0]
    at = next(name for name in inputs if case_file(inputs[name], case_id).exists())
    if harm == "altered":
        path = case_file(inputs[at], case_id)
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    elif harm == "missing part":
        del inputs[at]
    else:
        shutil.copytree(inputs[at], work / "again")
        inputs["again"] = work / "again"
    with pytest.raises(ArtifactError, match=r"c-|case"):
        join_preprocess_shards(
            PreprocessConfig(max_failed_fraction=0.0), inputs, {"preprocessed": work / "out"}, SETTINGS
        )
