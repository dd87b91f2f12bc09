"""Steps in turn, by the common door, with stand-ins for what they do: the way back is whole, or says where it is not."""

import sys
from types import ModuleType

import pytest

from lesionflow.config import load_params
from lesionflow.config.presets import find_params
from lesionflow.errors import ConfigError
from lesionflow.io.attestations.chain import read_lines, verify_chain
from lesionflow.io.attestations.content import sha256_of_content
from lesionflow.io.attestations.folder import find_statements
from lesionflow.io.attestations.statements import read_statement
from lesionflow.io.signing.keys import PRIVATE, make_keys
from lesionflow.io.stores.case_index import Entry, write_case_index
from lesionflow.steps import STEPS, run_step


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """Run steps whose work is to write a word into each output; as on Kubeflow, each in a folder of its own."""
    monkeypatch.setenv("LESIONFLOW_PRIVATE_DIR", str(tmp_path / "private"))
    words = {}

    def work(config, inputs, outputs, settings):
        for name, path in outputs.items():
            if name in ("cases", "validation", "preprocessed", "evaluation"):
                path.mkdir(exist_ok=True)
                (path / "file").write_text(words.get(name, name))
            else:
                path.write_text(words.get(name, name))
            if name == "cases":
                write_case_index(path, {"c-1": Entry("key", {}, {}, {})})
        return {"rank": 1} if "helper" in words else {"n": 1.0}

    for number, step in enumerate(STEPS.values()):
        module = ModuleType(f"stand_in_{number}")
        module.run = work
        monkeypatch.setitem(sys.modules, step.module, module)
    params = load_params(find_params("phantom_ct"))
    places = {"raw": tmp_path / "raw"}
    places["raw"].mkdir()

    def run(*names, **changed):
        words.update(changed)
        for name in names:
            folder = tmp_path / name
            outputs = {key: folder / key for key in STEPS[name].outputs}
            run_step(name, params[name], {key: places[key] for key in STEPS[name].inputs}, outputs)
            places.update(outputs)
        return places

    return run


TO_BUNDLE = ("ingest", "validate", "split", "plan", "preprocess", "train")


def chain(places, name):
    witness = places[name].parent / "attestations"
    wanted = {name: sha256_of_content(places[name], witness, workers=1)}
    return verify_chain(read_lines(find_statements((witness,), wanted)), wanted)


def test_every_step_attests_all_that_it_takes_and_makes_and_carries_the_others_along(pipeline, tmp_path, monkeypatch):
    team = make_keys(tmp_path / "team")
    monkeypatch.setenv("LESIONFLOW_SIGNING_KEY", str(tmp_path / "team" / PRIVATE))
    places = pipeline(*TO_BUNDLE, "evaluate")
    found = chain(places, "evaluation")
    assert found.faults == ()
    assert {step.step for step in found.steps} == {*TO_BUNDLE, "evaluate"}
    cases = next(step.subjects["cases"] for step in found.steps if step.step == "ingest")
    for step in found.steps:
        assert set(step.materials) == set(STEPS[step.step].inputs)
        assert set(step.subjects) == set(STEPS[step.step].outputs)
        assert (step.key_id, step.data_revision) == (team.key_id, cases)
        assert len(step.params_sha256) == 64


def test_an_output_that_is_edited_between_two_steps_is_told_at_once_and_afterwards(pipeline, caplog):
    places = pipeline(*TO_BUNDLE[:-1])
    assert "attested from the studies on" not in caplog.text
    places["splits"].write_text("who is tested on was moved")
    pipeline("train")
    assert "what train takes is not attested from the studies on: the splits" in caplog.text
    (said,) = chain(places, "bundle").faults
    assert said.startswith("the splits that train took")
    assert "by split): it was altered in between" in said


def test_a_step_that_was_left_out_is_told(pipeline, tmp_path):
    places = pipeline("ingest", "validate", "split")
    # Somebody makes the plan without the step.
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "plan").write_text("by hand")
    places["plan"] = tmp_path / "plan" / "plan"
    pipeline("preprocess", "train")
    (said,) = chain(places, "bundle").faults
    assert said.startswith("no step attests the plan that train took")


def test_what_is_made_anew_of_the_same_is_the_same_and_what_was_brought_back_finds_its_own(pipeline):
    places = pipeline("ingest", "validate", "split", "plan")
    pipeline("ingest", "plan", cases="another study", plan="another plan")
    (said,) = chain(places, "plan").faults
    assert "not all steps took one and the same cases" in said
    pipeline("ingest", "plan", cases="cases", plan="plan")
    assert chain(places, "plan").whole


def test_one_folder_for_all_where_the_environment_names_it(pipeline, tmp_path, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_ATTESTATIONS_DIR", str(tmp_path / "shared"))
    pipeline("ingest", "validate")
    assert not (tmp_path / "ingest" / "attestations").exists()
    lines = [path.read_text().strip() for path in (tmp_path / "shared").glob("*.jsonl")]
    assert {read_statement(line).step for line in lines} == {"ingest", "validate"}


def test_studies_are_told_by_their_record_where_there_is_one(pipeline, tmp_path):
    def raw():
        (path,) = (tmp_path / "ingest" / "attestations").glob("cases.*.jsonl")
        return read_statement(path.read_text().splitlines()[-1]).materials["raw"]

    pipeline("ingest")
    by_keys = raw()
    (tmp_path / "raw.sha256").write_text("what was recorded")
    pipeline("ingest")
    assert raw() != by_keys


def test_a_process_that_helps_another_attests_nothing(pipeline, tmp_path):
    pipeline("ingest", helper="yes")
    assert not list(tmp_path.glob("ingest/attestations/*.jsonl"))


def test_a_key_that_can_not_be_read_stops_the_step_before_it_runs(pipeline, tmp_path, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_SIGNING_KEY", str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match=r"none\.pem"):
        pipeline("ingest")
    assert not (tmp_path / "ingest" / "cases").exists()
