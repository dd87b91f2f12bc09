"""A step that is done in parts and joined is what `run_step` makes: same bytes, same attestation, same editions in the project store."""

from pathlib import Path

import pytest
from PIL import Image

from lesionflow.cohort.shard import Shard
from lesionflow.config import load_params
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.attestations.chain import read_lines
from lesionflow.io.attestations.folder import FOLDER, find_statements
from lesionflow.io.project_store.store import ProjectStore
from lesionflow.io.stores.case_index import read_case_index
from lesionflow.steps import run_step
from lesionflow.steps.fan_out.parts import join_parts, run_part
from support.bundles import small_plan
from support.case_folders import write_cases

REPO = Path(__file__).resolve().parents[4]
PARAMS = {
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


@pytest.fixture(autouse=True)
def pod(tmp_path, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_WORKERS", "1")
    monkeypatch.setenv("LESIONFLOW_PSEUDONYM_KEY", "k" * 32)
    monkeypatch.setenv("LESIONFLOW_PRIVATE_DIR", str(tmp_path / "private"))


def add_patient(raw, number):
    for folder, mode, ground, bright in (("images", "L", 40 + number, 200), ("masks", "L", 0, 1)):
        picture = Image.new(mode, (24, 20), ground)
        picture.paste(bright, (3 + number % 5, 4, 12, 11))
        (raw / folder).mkdir(parents=True, exist_ok=True)
        picture.save(raw / folder / f"p{number}_0.png")


@pytest.fixture
def raw(tmp_path):
    for number in range(5):
        add_patient(tmp_path / "raw", number)
    return tmp_path / "raw"


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def in_parts(folder, raw, store, of=3):
    """Ingest as pods do: each begins with nothing but what it is given."""
    parts = [folder / f"pod-{number}" / "part" for number in range(of)]
    counts = [
        run_part("ingest", PARAMS, {"raw": raw}, part, Shard(number, of), project_store=store)
        for number, part in enumerate(parts)
    ]
    joined = join_parts("ingest", PARAMS, {}, parts[::-1], {"cases": folder / "join" / "cases"}, project_store=store)
    return sum(count["n_read"] for count in counts), joined


def test_parts_give_the_bytes_of_the_whole_and_go_on_from_the_store(raw, tmp_path):
    store, other = str(tmp_path / "store"), str(tmp_path / "other")
    n_read, counts = in_parts(tmp_path / "first", raw, store)
    whole = run_step("ingest", PARAMS, {"raw": raw}, {"cases": tmp_path / "whole" / "cases"}, project_store=other)
    assert n_read == 5
    assert counts == whole
    assert contents(tmp_path / "first" / "join" / "cases") == contents(tmp_path / "whole" / "cases")
    add_patient(raw, 7)
    n_read, counts = in_parts(tmp_path / "second", raw, store)
    assert (n_read, counts["n_read"], counts["n_kept"]) == (1, 1, 5)
    run_step("ingest", PARAMS, {"raw": raw}, {"cases": tmp_path / "again" / "cases"}, project_store=other)
    assert contents(tmp_path / "second" / "join" / "cases") == contents(tmp_path / "again" / "cases")
    # What the parts and the whole leave for the next run is one thing, whoever made it.
    ours, theirs = (ProjectStore(each).latest("cases") for each in (store, other))
    assert (ours.number, ours.files) == (theirs.number, theirs.files) == (2, theirs.files)


def test_a_join_is_attested_as_the_step_is(raw, tmp_path):
    in_parts(tmp_path / "parts", raw, "")
    run_step("ingest", PARAMS, {"raw": raw}, {"cases": tmp_path / "whole" / "cases"})

    def attested(folder):
        (line,) = (folder / FOLDER).glob("*.json*")
        (one,) = read_lines(line.read_text().splitlines())
        return one.step, dict(one.subjects), dict(one.materials), one.params_sha256

    assert attested(tmp_path / "parts" / "join") == attested(tmp_path / "whole")
    assert attested(tmp_path / "whole")[2].keys() == {"raw"}
    assert find_statements([tmp_path / "parts" / "join" / FOLDER], attested(tmp_path / "whole")[1])


def test_arrays_in_parts_are_those_of_the_whole(tmp_path):
    write_cases(tmp_path / "cases", 5)
    (tmp_path / "plan.json").write_text(small_plan().model_dump_json())
    inputs, params = {"cases": tmp_path / "cases", "plan": tmp_path / "plan.json"}, load_params(REPO / "params.yaml")
    run_step("preprocess", params["preprocess"], inputs, {"preprocessed": tmp_path / "whole" / "arrays"})
    parts = [tmp_path / f"part-{number}" for number in range(3)]
    for number, part in enumerate(parts):
        run_part("preprocess", params["preprocess"], inputs, part, Shard(number, 3))
    join_parts("preprocess", params["preprocess"], inputs, parts, {"preprocessed": tmp_path / "join" / "arrays"})
    assert contents(tmp_path / "join" / "arrays") == contents(tmp_path / "whole" / "arrays")


def test_a_part_of_another_projects_store_is_refused_before_anything_is_read(raw, tmp_path):
    store = str(tmp_path / "store")
    in_parts(tmp_path / "first", raw, store)
    with pytest.raises(ArtifactError, match="another dataset"):
        run_part(
            "ingest",
            {**PARAMS, "dataset_name": "liver"},
            {"raw": raw},
            tmp_path / "part",
            Shard(0, 3),
            project_store=store,
        )
    assert not (tmp_path / "part").exists()


def test_a_part_that_is_missing_leaves_the_store_as_it_was(raw, tmp_path):
    store, folder = str(tmp_path / "store"), tmp_path / "pods"
    for number in range(2):
        run_part("ingest", PARAMS, {"raw": raw}, folder / str(number), Shard(number, 3), project_store=store)
    with pytest.raises(ArtifactError, match="every part of the studies once, found the parts 0 of 3, 1 of 3"):
        join_parts(
            "ingest",
            PARAMS,
            {},
            [folder / "0", folder / "1"],
            {"cases": tmp_path / "cases"},
            project_store=store,
        )
    assert ProjectStore(store).latest("cases") is None


@pytest.mark.parametrize("name", ["evaluate", "nothing"])
def test_steps_that_can_not_be_parted_are_named(name, tmp_path):
    with pytest.raises(ConfigError, match=f"ingest, preprocess, train, found {name}"):
        run_part(name, {}, {}, tmp_path / "part", Shard(0, 2))
    with pytest.raises(ConfigError, match=f"ingest, preprocess, train, found {name}"):
        join_parts(name, {}, {}, [tmp_path], {})


def test_a_join_of_nothing_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="found none"):
        join_parts("ingest", PARAMS, {}, [], {"cases": tmp_path / "cases"})


def test_the_known_index_alone_is_fetched_by_a_part(raw, tmp_path, monkeypatch):
    store = str(tmp_path / "store")
    in_parts(tmp_path / "first", raw, store)
    fetched = []
    take = ProjectStore.take_object
    monkeypatch.setattr(
        ProjectStore,
        "take_object",
        lambda self, digest, target: (fetched.append(target.name), take(self, digest, target)),
    )
    parts = [tmp_path / f"part-{number}" for number in range(3)]
    for number, part in enumerate(parts):
        run_part("ingest", PARAMS, {"raw": raw}, part, Shard(number, 3), project_store=store)
    assert fetched.count("index.json") == 3
    assert not [name for name in fetched if name.endswith((".nii.gz", ".png"))]
    assert sum(len(read_case_index(part)) for part in parts) == 5
