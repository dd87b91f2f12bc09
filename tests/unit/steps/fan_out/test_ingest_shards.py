"""Studies read in parts and joined are the folder that one ingest writes, byte for byte; no patient is in two parts."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from lesionflow.cohort.shard import Shard
from lesionflow.config import IngestConfig, Settings
from lesionflow.errors import ArtifactError, DataQualityError
from lesionflow.io.stores.case_index import read_case_index
from lesionflow.io.stores.cases import read_table
from lesionflow.steps.fan_out.ingest_shards import ingest_shard, join_ingest_shards
from lesionflow.steps.ingest import step

N_PARTS, N_PATIENTS = 3, 7
CONFIG = {
    "dataset_name": "nuclei",
    "layout": "auto",
    "patient_pattern": r"^(p\d+)_",
    "channels": {"gray": {"kind": "picture", "modality": "OT", "series_description": ""}},
    "reference_channel": "gray",
    "labels": {"tumor": 1},
    "regions": {},
    "outlines": [],
    "slice_spacing_tolerance_fraction": 0.01,
    "max_rejected_fraction": 0.5,
}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def write_study(raw: Path, name: str, seed: int) -> None:
    """A gray picture with a bright square, and its mask."""
    picture = Image.new("L", (24, 20), 40 + seed)
    picture.paste(200, (3 + seed % 5, 4, 12, 11))
    mask = Image.new("L", (24, 20), 0)
    mask.paste(1, (3 + seed % 5, 4, 12, 11))
    for folder, image in (("images", picture), ("masks", mask)):
        (raw / folder).mkdir(parents=True, exist_ok=True)
        image.save(raw / folder / f"{name}.png")


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two studies of each patient, and one that is refused."""
    raw = tmp_path_factory.mktemp("studies") / "raw"
    for patient in range(N_PATIENTS):
        for number in range(2):
            write_study(raw, f"p{patient:02d}_{number}", 2 * patient + number)
    write_study(raw, "p99_0", 3)
    (raw / "images" / "p99_0.png").write_bytes(b"no picture")
    return raw


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(workers=1, private_dir=tmp_path / "private", pseudonym_key="k" * 32)


InParts = Callable[..., dict[str, float]]


@pytest.fixture
def in_parts(tmp_path: Path, settings: Settings) -> InParts:
    def call(raw: Path, out: str, known: Path | None = None, **changes: object) -> dict[str, float]:
        config = IngestConfig.model_validate({**CONFIG, **changes})
        inputs = {}
        for number in reversed(range(N_PARTS)):
            inputs[f"part-{number}"] = tmp_path / f"{out}-part-{number}"
            shutil.rmtree(inputs[f"part-{number}"], ignore_errors=True)
            ingest_shard(config, {"raw": raw}, inputs[f"part-{number}"], settings, Shard(number, N_PARTS), known)
        return join_ingest_shards(config, inputs, {"cases": tmp_path / out}, settings)

    return call


def whole(raw: Path, out: Path, settings: Settings) -> dict[str, float]:
    return step.run(IngestConfig.model_validate(CONFIG), {"raw": raw}, {"cases": out}, settings)


def test_parts_joined_are_the_bytes_of_the_whole(
    studies: Path, tmp_path: Path, settings: Settings, in_parts: InParts
) -> None:
    assert in_parts(studies, "joined") == whole(studies, tmp_path / "whole", settings)
    joined, alone = contents(tmp_path / "joined"), contents(tmp_path / "whole")
    assert set(joined) == set(alone)
    assert [name for name in alone if joined[name] != alone[name]] == []
    assert len(json.loads(joined["rejected.json"])) == 1
    patients = [
        {
            read_case_index(tmp_path / f"joined-part-{n}")[c].row.get("patient_id")
            for c in read_case_index(tmp_path / f"joined-part-{n}")
        }
        - {None}
        for n in range(N_PARTS)
    ]
    assert sum(map(len, patients)) == len(set().union(*patients)) == N_PATIENTS
    assert sum(1 for part in patients if part) > 1


def test_what_is_known_is_not_read_again_and_what_is_gone_goes(
    studies: Path, tmp_path: Path, settings: Settings, in_parts: InParts
) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(studies, raw)
    in_parts(raw, "joined")
    for folder in ("images", "masks"):
        (raw / folder / "p00_0.png").unlink()
    write_study(raw, "p50_0", 6)
    write_study(raw, "p01_1", 9)
    counts = in_parts(raw, "joined", known=tmp_path / "joined")
    assert (counts["n_read"], counts["n_kept"], counts["n_cases"]) == (2.0, 13.0, 14.0)
    whole(raw, tmp_path / "whole", settings)
    assert contents(tmp_path / "joined") == contents(tmp_path / "whole")


def test_refused_studies_count_among_all_and_not_in_their_part(studies: Path, in_parts: InParts) -> None:
    in_parts(studies, "kept", max_rejected_fraction=1 / 15)
    with pytest.raises(DataQualityError, match="found 1"):
        in_parts(studies, "refused", max_rejected_fraction=0.06)


@pytest.mark.parametrize("harm", ["missing part", "twice", "altered", "lost", "none"])
def test_parts_that_are_not_whole_are_refused(
    studies: Path, tmp_path: Path, settings: Settings, in_parts: InParts, harm: str
) -> None:
    in_parts(studies, "joined")
    inputs = {f"part-{n}": tmp_path / f"joined-part-{n}" for n in range(N_PARTS)}
    image = next((inputs["part-1"] / "imagesTr").iterdir())
    if harm == "missing part":
        del inputs["part-1"]
    elif harm == "twice":
        inputs["again"] = inputs["part-1"]
    elif harm == "altered":
        image.write_bytes(image.read_bytes() + b"x")
    elif harm == "lost":
        image.unlink()
    else:
        inputs = {}
    with pytest.raises(ArtifactError, match=r"every part of the studies once|missing or altered"):
        join_ingest_shards(IngestConfig.model_validate(CONFIG), inputs, {"cases": tmp_path / "out"}, settings)


def test_more_parts_than_patients_leave_empty_ones_that_join(studies: Path, tmp_path: Path, settings: Settings) -> None:
    config = IngestConfig.model_validate(CONFIG)
    inputs = {}
    for number in range(20):
        inputs[str(number)] = tmp_path / str(number)
        ingest_shard(config, {"raw": studies}, inputs[str(number)], settings, Shard(number, 20))
    assert any(not read_case_index(path) for path in inputs.values())
    assert join_ingest_shards(config, inputs, {"cases": tmp_path / "out"}, settings)["n_cases"] == 2 * N_PATIENTS
    assert len(read_table(tmp_path / "out")) == 2 * N_PATIENTS
