"""Evaluated models: cases with a bright box each, networks that call all voxels tumor or none, a store that holds both."""

from pathlib import Path

import pytest

from lesionflow.data.bundle import Bundle
from lesionflow.data.split import Fold, Split
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.cases import write_table
from lesionflow.registry.tracking import Tracker
from lesionflow.steps import run_step
from support.bundles import constant_bundle
from support.case_folders import write_cases
from support.champions import set_champion
from support.stores import empty_store

EVALUATE = {"n_bootstrap": 300, "confidence_level": 0.95, "seed": 13, "n_worst_cases": 2}
#: The box is 3 x 24 x 30 voxels of 5 x 40 x 56: Dice of a mask that fills the image.
DICE_OF_ALL = 2 * 2160 / (2160 + 11200)


class EvaluationWorkspace:
    """Twelve cases, one a patient, the last ten of them the test set; a store beside them."""

    def __init__(self, folder: Path, **cases: object) -> None:
        self.folder = folder
        self.uri = empty_store(folder / "store")
        self.tracker = Tracker(self.uri, "knees")
        self.table = write_cases(folder / "cases", 12, **cases)
        self.table["manufacturer"] = ["Kneebone Imaging", "Patella & Sons"] * 6
        write_table(folder / "cases", self.table)
        cases, patients = list(self.table["case_id"]), tuple(self.table["patient_id"])
        fold = Fold(train=tuple(cases[:1]), validation=tuple(cases[1:2]))
        self.test = tuple(cases[2:])
        split = Split(
            seed=1, fold=0, folds=(fold,), test=self.test, test_patients=patients[2:], other_patients=patients[:2]
        )
        (folder / "splits.json").write_text(split.model_dump_json(), encoding="utf-8")

    def train(self, bundle: Bundle, run_name: str) -> Bundle:
        """Return the bundle as if a run of this store had trained it."""
        run_id = self.tracker.start_run(run_name)
        return Bundle(bundle.plan, bundle.weights, bundle.card.model_copy(update={"run_id": run_id}))

    def inputs(self, name: str) -> dict[str, Path]:
        """What `evaluate` reads."""
        folder = self.folder
        return {"cases": folder / "cases", "splits": folder / "splits.json", "bundle": folder / f"{name}-bundle"}

    def evaluate(self, bundle: Bundle, name: str, **changes: object) -> Path:
        """Write a bundle and evaluate it; return the folder of its evaluation."""
        write_bundle(self.folder / f"{name}-bundle", bundle)
        run_step("evaluate", {**EVALUATE, **changes}, self.inputs(name), {"evaluation": self.folder / name})
        return self.folder / name

    def register(self, name: str) -> None:
        """Register a bundle by its evaluation, as challenger."""
        inputs = {"bundle": self.folder / f"{name}-bundle", "evaluation": self.folder / name}
        output = {"registration": self.folder / f"{name}.json"}
        run_step("register", {"model_name": "lesionflow-knees"}, inputs, output)


def two_evaluated_models(folder: Path, patch: pytest.MonkeyPatch) -> EvaluationWorkspace:
    """Make a champion that finds nothing (`none`), and a later model that calls every voxel tumor (`all`)."""
    workspace = EvaluationWorkspace(folder)
    patch.setenv("MLFLOW_TRACKING_URI", workspace.uri)
    patch.setenv("LESIONFLOW_DEVICE", "cpu")
    patch.setenv("LESIONFLOW_IMAGE", "registry.example/lesionflow:1")
    workspace.none = workspace.train(constant_bundle(-9.0), "finds-nothing")
    workspace.evaluate(workspace.none, "none")
    workspace.register("none")
    set_champion("lesionflow-knees", "1", workspace.uri)
    workspace.all = workspace.train(constant_bundle(9.0), "calls-all-tumor")
    workspace.evaluate(workspace.all, "all")
    workspace.register("all")
    return workspace
