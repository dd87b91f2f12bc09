"""The retraining pipeline: the steps on Kubeflow, or on this machine without Docker.

python -m pipelines.retrain --local --params phantom_ct --data DIR
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from kfp import dsl, local

from components.evaluate.component import evaluate_step
from components.ingest.component import ingest_step
from components.plan.component import plan_step
from components.preprocess.component import preprocess_step
from components.promote.component import promote_step
from components.register.component import register_step
from components.split.component import split_step
from components.train.component import train_step
from components.validate.component import validate_step
from lesionflow.config import load_params
from lesionflow.config.presets import find_params
from lesionflow.steps import STEPS

PIPELINE_NAME = "lesionflow-retrain"
#: What a step may take on a cluster; without meaning on one machine.
TRAIN_MEMORY, TRAIN_CPUS, OTHER_MEMORY = "16G", "4", "8G"
TRAIN_ACCELERATOR, TRAIN_ACCELERATORS = "nvidia.com/gpu", "1"


@dsl.pipeline(name=PIPELINE_NAME, description="Versioned studies in, a champion model out.")
def retrain(
    raw_path: str,
    data_revision: str,  # noqa: ARG001 - part of the cache key: KFP looks at arguments, not at what lies at a path
    ingest: dict,
    validate: dict,
    split: dict,
    plan: dict,
    preprocess: dict,
    train: dict,
    evaluate: dict,
    register: dict,
    promote: dict,
) -> None:
    """Run every step. `raw_path` is a folder that the pods see; each dict is a section of params.yaml."""
    cases = ingest_step(raw_path=raw_path, params=ingest)
    cases.set_caching_options(enable_caching=False)
    cases.set_memory_limit(OTHER_MEMORY)
    case_folder = cases.outputs["cases"]
    checked = validate_step(cases=case_folder, params=validate)
    divided = split_step(cases=case_folder, validation=checked.outputs["validation"], params=split)
    splits = divided.outputs["splits"]
    planned = plan_step(cases=case_folder, splits=splits, params=plan)
    arrays = preprocess_step(cases=case_folder, plan=planned.outputs["plan"], params=preprocess)
    arrays.set_memory_limit(OTHER_MEMORY)
    trained = train_step(
        cases=case_folder,
        preprocessed=arrays.outputs["preprocessed"],
        splits=splits,
        plan=planned.outputs["plan"],
        params=train,
    )
    trained.set_memory_limit(TRAIN_MEMORY).set_cpu_limit(TRAIN_CPUS)
    trained.set_accelerator_type(TRAIN_ACCELERATOR).set_accelerator_limit(TRAIN_ACCELERATORS)
    scored = evaluate_step(cases=case_folder, splits=splits, bundle=trained.outputs["bundle"], params=evaluate)
    registered = register_step(
        bundle=trained.outputs["bundle"], evaluation=scored.outputs["evaluation"], params=register
    )
    promoted = promote_step(
        cases=case_folder,
        splits=splits,
        evaluation=scored.outputs["evaluation"],
        registration=registered.outputs["registration"],
        params=promote,
    )
    # What the registry holds may have changed since the last run with the same inputs.
    promoted.set_caching_options(enable_caching=False)


def revision_of(folder: Path) -> str:
    """Return the sha256 over names, sizes and times below a folder: cheap, and new whenever studies are added."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            facts = path.stat()
            digest.update(f"{path.relative_to(folder)} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def run_locally(params_file: Path, data: Path, root: Path) -> Path:
    """Run the pipeline on this machine, without Docker; finished steps are kept in a cache.

    Args:
        params_file: A whole params file.
        data: The studies.
        root: Where outputs and cache go.

    Returns:
        The folder of the outputs.
    """
    root = root.resolve()
    root.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
    here = str(Path(__file__).resolve().parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(root / "outputs"),
        raise_on_error=True,
        enable_caching=True,
        cache_root=str(root / "cache"),
    )
    sections = load_params(params_file)
    retrain(
        raw_path=str(data.resolve()),
        data_revision=revision_of(data),
        **{name: sections[name] for name in STEPS},
    )
    return root / "outputs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pipeline from the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.retrain", description=__doc__)
    parser.add_argument("--local", action="store_true", required=True, help="on this machine, without Docker")
    parser.add_argument("--params", required=True, help="a preset's name, or a params file")
    parser.add_argument("--data", type=Path, default=Path("data/raw"))
    parser.add_argument("--root", type=Path, default=Path(".kfp"))
    parsed = parser.parse_args(arguments)
    outputs = run_locally(find_params(parsed.params), parsed.data, parsed.root)
    sys.stdout.write(f"Outputs lie in {outputs}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
