"""A workspace in which a model of another program challenges a champion that finds nothing."""

from pathlib import Path

import yaml

from lesionflow.config import load_params
from lesionflow.config.presets import find_params
from lesionflow.data.bundle import Bundle
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.registered_bundles import register_bundle
from support.bundles import constant_bundle
from support.champions import set_champion
from support.change_plans import write_demonstration_plan
from support.evaluated import EvaluationWorkspace

NAME = "lesionflow-knees"


def foreign_challenge(work: Path) -> EvaluationWorkspace:
    """Twelve bright boxes, the last ten of them tested on, as a workspace has them; version 1 is champion."""
    made = EvaluationWorkspace(work, contrast_hu=(150,), noise_hu=5)
    (work / "data").mkdir()
    (work / "cases").rename(work / "data/cases")
    (work / "splits.json").rename(work / "data/splits.json")
    (work / "dvc.yaml").write_text("stages: {}\n")
    params = load_params(find_params("phantom_ct"))
    params["register"]["model_name"] = params["promote"]["model_name"] = NAME
    params["evaluate"] |= {"n_bootstrap": 50, "n_worst_cases": 1}
    (work / "params.yaml").write_text(yaml.safe_dump(params))
    write_demonstration_plan(work, what_may_change=["data", "training", "plan", "architecture", "preprocessing"])
    champion = made.train(constant_bundle(-9.0), "finds-nothing")
    learned = {"trained_cases": ("c-000000",), "validation_cases": ("c-000001",)}
    write_bundle(work / "champion", Bundle(champion.plan, champion.weights, champion.card.model_copy(update=learned)))
    run_id = champion.card.run_id
    register_bundle(made.tracker, run_id, work / "champion", NAME, program=MLFLOW_PROGRAM, tags={})
    set_champion(NAME, "1", made.uri)
    return made
