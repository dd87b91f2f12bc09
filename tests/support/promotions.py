"""A workspace in which versions challenge one another: bundles are real and registered, their scores are what a test says."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lesionflow.data.split import Fold, Split
from lesionflow.evaluation.scoring import BIN_COLUMNS, DETECTION_COLUMNS, LESION_COLUMNS, Scores
from lesionflow.io.stores.registrations import Registration, write_registration
from lesionflow.metrics import COUNTS, METRICS
from lesionflow.registry.versions import RegisteredVersion, find_version, require_version
from lesionflow.steps import run_step
from support.case_tables import case_table
from support.change_plans import change_plan
from support.versions import store_of_versions

NAME = "lesionflow-knees"
PARAMS = {"model_name": NAME, "confidence_level": 0.95}
N_CASES, N_TRAINED = 20, 4


def scores_of_cases(table: pd.DataFrame, test: Sequence[str], dice: float | Sequence[float]) -> Scores:
    """Make the tables of a model whose Dice is known case by case; every other figure is as good as it can be made up."""
    patients = table.set_index("case_id")["patient_id"]
    values = np.broadcast_to(np.asarray(dice, float), len(test))
    rows = []
    for case_id, value in zip(test, values, strict=True):
        figures = {
            name: float(value) if metric.direction > 0 else 10.0 * (1.0 - float(value))
            for name, metric in METRICS.items()
        }
        figures |= dict.fromkeys(COUNTS, 4.0)
        rows.append({"case_id": case_id, "patient_id": patients[case_id], "target": "tumor", **figures, "seconds": 1.5})
    return Scores(
        pd.DataFrame(rows),
        pd.DataFrame(columns=LESION_COLUMNS),
        pd.DataFrame(columns=DETECTION_COLUMNS),
        pd.DataFrame(columns=BIN_COLUMNS),
    )


class PromotionWorkspace:
    """Twenty cases, one a patient: the first four trained on, the others the test set; versions 1, 2, 3 in a store.

    `dice` holds, by version, what scoring it gives; `scored` who was scored, in order.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.uri = store_of_versions(folder / "store")
        patch.setenv("MLFLOW_TRACKING_URI", self.uri)
        patch.setenv("LESIONFLOW_DEVICE", "cpu")
        self.table = case_table(N_CASES)
        patch.setattr("lesionflow.steps.promote.test_set_scoring.read_table", lambda _: self.table)
        patch.setattr("lesionflow.evaluation.scoring.score_bundle", self._score)
        (folder / "cases").mkdir()
        (folder / "cases" / "dataset.json").write_text("{}")
        patch.setattr("lesionflow.steps.promote.decision_records.read_dataset", lambda _: _Named("knees"))
        (folder / "evaluation").mkdir()
        cases, patients = list(self.table["case_id"]), tuple(self.table["patient_id"])
        self.test = tuple(cases[N_TRAINED:])
        split = Split(
            seed=1,
            fold=0,
            folds=(Fold(train=tuple(cases[: N_TRAINED - 1]), validation=(cases[N_TRAINED - 1],)),),
            test=self.test,
            test_patients=patients[N_TRAINED:],
            other_patients=patients[:N_TRAINED],
        )
        (folder / "splits.json").write_text(split.model_dump_json())
        self.ledger = folder / "ledger.jsonl"
        self.dice: dict[str, float | Sequence[float]] = {}
        self.scored: list[str] = []
        self.plan: Mapping[str, Any] = {}

    def promote(self, version: str, /, **plan: Any) -> dict[str, Any]:
        """Run the step for a version, and return the decision that it wrote."""
        found = self.version(version)
        registration = Registration(
            model_name=NAME, version=version, run_id=found.run_id, bundle_digest=found.bundle_digest, alias="challenger"
        )
        write_registration(self.folder / "registration.json", registration)
        (self.folder / "change_plan.yaml").write_text(json.dumps(change_plan(**plan).model_dump(mode="json")))
        inputs = {key: self.folder / key for key in ("cases", "evaluation")}
        inputs |= {"splits": self.folder / "splits.json", "registration": self.folder / "registration.json"}
        inputs |= {"change_plan": self.folder / "change_plan.yaml"}
        outputs = {"promotion": self.folder / "promotion.json", "decision": self.folder / "decision.html"}
        run_step("promote", PARAMS, inputs, outputs)
        decision: dict[str, Any] = json.loads(outputs["promotion"].read_text())
        return decision

    def version(self, number: str) -> RegisteredVersion:
        """Return a registered version."""
        return require_version(NAME, number, self.uri)

    def champion(self) -> str | None:
        """Return the version that is champion."""
        found = find_version(NAME, "champion", self.uri)
        return found.version if found else None

    def _score(self, bundle: Any, read_case: Any, case_ids: Sequence[str], *, device: str) -> Scores:
        number = next(n for n in ("1", "2", "3") if self.version(n).bundle_digest == bundle.digest)
        self.scored.append(number)
        return scores_of_cases(self.table, case_ids, self.dice[number])


class _Named:
    def __init__(self, name: str) -> None:
        self.name = name


def broken(decision: Mapping[str, Any]) -> list[str]:
    """Return the rules that did not hold."""
    return [reason["rule"] for reason in decision["reasons"] if not reason["held"]]
