"""The step `plan` on cases whose facts are known, and `--diff` on the command line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lesionflow.cli import main
from lesionflow.config import load_params
from lesionflow.data.split import Fold, Split
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.plans import read_plan, write_plan
from lesionflow.models import ARCHITECTURES
from lesionflow.steps import run_step
from lesionflow.steps.plan.step import diff_with
from support.bundles import small_bundle
from support.case_folders import SHAPE, write_cases

REPO = Path(__file__).resolve().parents[4]


@pytest.fixture
def inputs(tmp_path):
    """Eight cases of 5 x 40 x 56 voxels of 3.0 x 0.8 x 0.5 mm; the last two may not be looked at."""
    table = write_cases(tmp_path / "cases")
    case_ids = list(table["case_id"])
    for case_id in case_ids[6:]:
        for path in (tmp_path / "cases").rglob(f"*{case_id}*"):
            path.write_bytes(b"a test case is never read")
    split = Split(
        seed=0, fold=0, folds=(Fold(train=tuple(case_ids[:4]), validation=tuple(case_ids[4:6])),),
        test=tuple(case_ids[6:]), test_patients=("p-6", "p-7"), other_patients=("p-0",),
    )  # fmt: skip
    (tmp_path / "splits.json").write_text(split.model_dump_json())
    return {"cases": tmp_path / "cases", "splits": tmp_path / "splits.json"}


def params(**changes):
    options = {**ARCHITECTURES["unet"].small_options, "base_channels": 16, "depth": 4}
    undecided = {
        "dimensions": 2, "spacing_mm": ["auto"] * 3, "patch_size": "auto", "batch_size": "auto", "context_slices": 3,
        "memory_budget_mb": 2000, "ct_window_hu": "auto", "keep_within_fraction": 0.1, "architecture": {"name": "unet", "options": options},
    }  # fmt: skip
    return {**load_params(REPO / "params.yaml")["plan"], **undecided, **changes}


def test_decisions_follow_from_the_training_cases_alone(inputs, tmp_path):
    run_step("plan", params(), inputs, {"plan": tmp_path / "plan.json"})
    plan = read_plan(tmp_path / "plan.json")
    in_plane = (0.8 * 0.5) ** 0.5
    assert plan.spacing_mm == (None, pytest.approx(in_plane, abs=1e-3), pytest.approx(in_plane, abs=1e-3))
    # The whole slice is body: 40 x 0.8 mm and 56 x 0.5 mm at 0.632 mm, rounded up to what four halvings divide.
    assert SHAPE[1:] == (40, 56)
    assert plan.patch_size == (3, 64, 48)
    assert all(decision.why for decision in plan.decisions)
    assert {"dimensions", "network", "patch_size", "batch_size", "outputs", "intensities of CT"} <= {
        decision.what for decision in plan.decisions
    }


@pytest.mark.parametrize(
    ("network", "dimensions", "why"),
    [("unet", 2, "has 5 slices"), ("brats2020_unet", 3, "no other"), ("table_unet", 3, "no other")],
)
def test_slices_or_volumes_may_be_left_to_the_data(inputs, tmp_path, network, dimensions, why):
    changes = {"dimensions": "auto", "memory_budget_mb": 8000}
    if network != "unet":
        changes["architecture"] = {"name": network, "options": {}}
    run_step("plan", params(**changes), inputs, {"plan": tmp_path / "plan.json"})
    plan = read_plan(tmp_path / "plan.json")
    assert plan.dimensions == dimensions
    assert why in next(decision.why for decision in plan.decisions if decision.what == "dimensions")


def test_a_budget_too_small_names_the_number_to_raise(inputs, tmp_path):
    with pytest.raises(ConfigError, match=r"plan.memory_budget_mb.*Raise it to \d+"):
        run_step("plan", params(memory_budget_mb=20), inputs, {"plan": tmp_path / "plan.json"})
    assert not (tmp_path / "plan.json").exists()


def test_a_channel_of_unknown_kind_is_asked_for_and_never_guessed(tmp_path):
    text = (REPO / "params.yaml").read_text(encoding="utf-8").replace("kind: ct,", "kind: cta,")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ingest.channels.CT.kind.*'ct', 'pet', 'mr' or 'picture'.*'cta'"):
        load_params(tmp_path / "params.yaml")


def test_the_champions_plan_is_compared_on_the_command_line(inputs, tmp_path, capsys):
    content = yaml.safe_load((REPO / "params.yaml").read_text(encoding="utf-8"))
    content["plan"] = json.loads(json.dumps(params()))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    arguments = ["plan", "--params", str(tmp_path / "params.yaml"), "--plan", str(tmp_path / "plan.json")]
    arguments += [f"--{name}={path}" for name, path in inputs.items()]
    assert main(arguments) == 0
    bundle, champion = small_bundle(), tmp_path / "champion"
    plan = read_plan(tmp_path / "plan.json")
    for same in (True, False):
        own = plan if same else plan.model_copy(update={"spacing_mm": (None, 2.0, 2.0)})
        card = bundle.card.model_copy(update={"plan_sha256": own.digest()})
        write_bundle(champion, bundle.__class__(own, bundle.weights, card))
        capsys.readouterr()
        assert main([*arguments, "--diff", str(champion)]) == 0
        said = capsys.readouterr()
        assert ("still fits" in said.out, "no longer fits" in said.out) == (same, not same)
        assert ("The plans are the same" in said.err, "moved by 68%" in " ".join(said.err.split())) == (same, not same)


def test_numbers_that_a_pipeline_gives_back_as_floats_give_the_same_plan(inputs, tmp_path):
    options = {**ARCHITECTURES["residual_encoder_unet"].small_options}
    given = {"name": "residual_encoder_unet", "options": {**options, "n_blocks": [1, 2, 2]}}
    floats = {
        "name": given["name"],
        "options": {**options, "depth": 2.0, "base_channels": 4.0, "n_blocks": [1.0, 2.0, 2.0]},
    }
    for number, architecture in enumerate((given, floats)):
        run_step("plan", params(architecture=architecture), inputs, {"plan": tmp_path / f"{number}.json"})
    assert (tmp_path / "0.json").read_bytes() == (tmp_path / "1.json").read_bytes()


@pytest.mark.parametrize("content", ["", '{"seed": 0}', "[]"])
def test_a_broken_split_is_an_artifact_error_that_says_what_it_locks(inputs, tmp_path, content):
    inputs["splits"].write_text(content)
    with pytest.raises(ArtifactError, match="it locks the test set") as refused:
        run_step("plan", params(), inputs, {"plan": tmp_path / "plan.json"})
    assert refused.value.exit_code == 5
    assert not (tmp_path / "plan.json").exists()


def test_a_broken_split_exits_5_without_a_traceback(inputs, tmp_path, capsys):
    inputs["splits"].write_text('{"seed": 0}')
    arguments = [
        "--cases",
        str(inputs["cases"]),
        "--splits",
        str(inputs["splits"]),
        "--plan",
        str(tmp_path / "plan.json"),
    ]
    assert main(["plan", "--params", str(REPO / "params.yaml"), *arguments]) == 5
    said = capsys.readouterr().err
    assert "splits.json" in said
    assert "Traceback" not in said


def test_a_network_under_its_older_name_is_no_other_network(tmp_path, capsys, monkeypatch):
    """Plans of before 0.2 say `table_unet`; those of now `brats2020_unet`."""
    monkeypatch.setenv("COLUMNS", "200")
    bundle = small_bundle()

    def called(name):
        architecture = bundle.plan.architecture.model_copy(update={"name": name, "options": {}})
        return bundle.plan.model_copy(update={"architecture": architecture, "dimensions": 3})

    old = called("table_unet")
    card = bundle.card.model_copy(update={"plan_sha256": old.digest()})
    write_bundle(tmp_path / "champion", replace(bundle, plan=old, card=card))
    write_plan(tmp_path / "plan.json", called("brats2020_unet"))
    assert diff_with(str(tmp_path / "champion"), "", tmp_path / "plan.json", "")
    assert "The plans are the same" in capsys.readouterr().err
    write_plan(tmp_path / "plan.json", called("inception_unet"))
    assert diff_with(str(tmp_path / "champion"), "", tmp_path / "plan.json", "")
    assert "another network" in " ".join(capsys.readouterr().err.split())
