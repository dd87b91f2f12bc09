"""A small workspace with one patient planted: words and voxels that nobody else has, in every place that keeps data."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import yaml

from lesionflow.config import load_params
from lesionflow.config.presets import find_params
from lesionflow.data.bundle import Bundle
from lesionflow.data.split import Fold, Split
from lesionflow.io.project_store.store import ProjectStore
from lesionflow.io.stores import preprocessed, raw_manifest
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.cases import read_case, read_table
from lesionflow.io.stores.ledger import ledger_path, note_read
from lesionflow.io.stores.splits import read_split
from lesionflow.registry.tracking import Tracker
from lesionflow.steps import run_step
from lesionflow.steps.shared_state import share_ledger
from lesionflow.workspace.layout import PATHS, store_uri
from support.bundles import constant_bundle
from support.champions import set_champion
from support.evaluated import EVALUATE
from support.stores import empty_store

#: The patient's ID, as the files are named by it.
WHO = "Quintessa7311"
MODEL = "lesionflow-knees"
OTHERS = ("anna100", "berta200", "clara300")


def git(work: Path, *words: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@e"]
    return subprocess.run(
        ["git", "-C", str(work), *identity, *words], check=True, capture_output=True, text=True
    ).stdout


class PlantedWorkspace:
    """Four patients of a study each, ingested, preprocessed, learned from, evaluated and registered; under git and DVC.

    Version 1 learned from the planted patient; version 2 did not, and was tested on the patient.
    """

    def __init__(self, folder: Path, private: Path, patch, *, with_models: bool = True) -> None:
        self.work, self.private = folder / "work", private
        patch.setenv("LESIONFLOW_PRIVATE_DIR", str(private))
        patch.setenv("LESIONFLOW_DEVICE", "cpu")
        patch.setenv("LESIONFLOW_WORKERS", "1")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        self._studies()
        self._params()
        self._cases()
        self._project_store(folder)
        if with_models:
            self._models(patch)
            self._dvc(folder)

    def path(self, name: str) -> Path:
        return self.work / PATHS[name]

    def _studies(self) -> None:
        rng = np.random.default_rng(7)
        for place, who in enumerate((*OTHERS, WHO)):
            image = rng.integers(-60, 60, (40, 36, 5)).astype(np.int16)
            labels = np.zeros(image.shape, np.uint8)
            labels[8 : 20 + place, 9:22, 1:4] = 1
            image[labels > 0] += 200
            for kind, array in (("images", image), ("masks", labels)):
                path = self.path("raw") / kind / f"{who}_CT.nii.gz"
                path.parent.mkdir(parents=True, exist_ok=True)
                nibabel.save(nibabel.Nifti1Image(array, np.diag([1.0, 1.0, 3.0, 1.0])), path)

    def _params(self) -> None:
        params = load_params(find_params("phantom_ct"))
        params["ingest"] |= {
            "layout": "volumes", "dataset_name": "knees", "labels": {"tumor": 1}, "regions": {},
            "channels": {"CT": params["ingest"]["channels"][next(iter(params["ingest"]["channels"]))]},
            "reference_channel": "CT", "outlines": [], "max_rejected_fraction": 0.5,
        }  # fmt: skip
        (self.work / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        (self.work / "dvc.yaml").write_text("stages: {}\n")
        self.params = params

    def _cases(self) -> None:
        run_step("ingest", self.params["ingest"], {"raw": self.path("raw")}, {"cases": self.path("cases")})
        table = read_table(self.path("cases"))
        sources = json.loads((self.private / "sources.json").read_text())
        self.case_id = next(case for case, source in sources.items() if WHO in source)
        self.patient_id = table.set_index("case_id").loc[self.case_id, "patient_id"]
        others = [case for case in table["case_id"] if case != self.case_id]
        patients = dict(zip(table["case_id"], table["patient_id"], strict=True))
        split = Split(
            seed=1, fold=0, folds=(Fold(train=(others[0],), validation=()),), test=(others[1], others[2], self.case_id),
            test_patients=tuple(patients[c] for c in (others[1], others[2], self.case_id)),
            other_patients=(patients[others[0]],), model_name=MODEL,
        )  # fmt: skip
        self.path("splits").write_text(split.model_dump_json())
        self.others = others
        self._arrays(table)

    def _models(self, patch) -> None:
        empty_store(self.work)
        self.uri = store_uri(self.work)
        patch.setenv("MLFLOW_TRACKING_URI", self.uri)
        tracker = Tracker(self.uri, "knees")
        for version, (learned, logit) in enumerate((([self.case_id], 9.0), ([self.others[0]], 8.0)), 1):
            self._model(tracker, version, learned, logit)
        set_champion(MODEL, "1", self.uri)
        facts = {"step": "evaluate", "run_id": "", "n_cases": 3, "test_set_sha256": "0" * 64}
        note_read(
            ledger_path(self.path("splits")),
            {**facts, "test_patients": list(read_split(self.path("splits")).test_patients)},
        )
        share_ledger(self.path("splits"), self.uri)

    def _arrays(self, table) -> None:
        folder, index = self.path("preprocessed"), {}
        for case_id in table["case_id"]:
            case = read_case(self.path("cases"), case_id)
            digest = preprocessed.write_case(
                preprocessed.case_file(folder, case_id), case.volume.array, case.reference_mask.labels, {}
            )
            index[case_id] = preprocessed.IndexEntry(key=hashlib.sha256(case_id.encode()).hexdigest(), sha256=digest)
        preprocessed.write_index(folder, index)

    def _model(self, tracker: Tracker, version: int, learned: list[str], logit: float) -> None:
        run_id = tracker.start_run(f"train {version}")
        tracker.log_image(run_id, np.full((9, 9, 3), version, np.uint8), key="samples", step=1)
        tracker.log_metrics(run_id, {f"case/{self.case_id}/dice": 0.5, "test/dice": 0.5})
        tracker.set_tags(run_id, {"worst": f"worst of all was {self.case_id}", f"seen/{self.patient_id}": "1"})
        made = constant_bundle(logit, run_id)
        card = made.card.model_copy(update={"trained_cases": tuple(learned), "validation_cases": ()})
        shutil.rmtree(self.path("bundle"), ignore_errors=True)
        write_bundle(self.path("bundle"), Bundle(made.plan, made.weights, card))
        inputs = {"cases": self.path("cases"), "splits": self.path("splits"), "bundle": self.path("bundle")}
        run_step("evaluate", {**EVALUATE, "n_bootstrap": 50}, inputs, {"evaluation": self.path("evaluation")})
        run_step(
            "register", {"model_name": MODEL}, {"bundle": inputs["bundle"], "evaluation": self.path("evaluation")},
            {"registration": self.path("registration")},
        )  # fmt: skip

    def _project_store(self, folder: Path) -> None:
        """Keep two editions of what pods go on from; the newer one has the patient too."""
        self.project_store = folder / "project-store"
        store = ProjectStore(str(self.project_store))
        for name in ("cases", "preprocessed", "splits"):
            first = store.save(name, self.path(name), None)
            if self.path(name).is_dir():
                (self.path(name) / "later").write_text("of a later run")
                store.save(name, self.path(name), first)
                (self.path(name) / "later").unlink()

    def _dvc(self, folder: Path) -> None:
        """Record everything, studies too, in cache and remote; one commit names the patient."""
        self.remote = folder / "work-store"
        git(self.work, "init", "-q")
        (self.work / ".gitignore").write_text("/mlflow.db*\n/mlartifacts\n")
        (self.work / "notes.txt").write_text(f"ask about {self.patient_id}\n")
        self.dvc("init", "-q")
        self.dvc("remote", "add", "-q", "-d", "local", str(folder / "work-store"))
        raw_manifest.record(self.path("raw"), workers=1)
        named = [PATHS[name] for name in ("raw", "cases", "splits", "preprocessed", "bundle", "evaluation")]
        self.dvc("add", "-q", *named, "data/raw.sha256")
        self.dvc("push", "-q")
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "-m", "all")

    def dvc(self, *words: str) -> None:
        subprocess.run([sys.executable, "-m", "dvc", *words], cwd=self.work, check=True, capture_output=True)
