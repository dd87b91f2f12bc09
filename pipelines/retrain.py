"""The retraining pipeline: the steps on Kubeflow, or on this machine, in processes or in containers.

python -m pipelines.retrain --local --params phantom_ct --data DIR --because data --from champion
python -m pipelines.retrain --local --params phantom_ct --data-repository GIT --data-revision v2 --runner docker --image IMAGE
"""

import argparse
import functools
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kfp import dsl, local

from components.evaluate.component import evaluate_step
from components.image import IMAGE
from components.pin_splits.component import pin_splits_step
from components.plan.component import plan_step
from components.promote.component import promote_step
from components.register.component import register_step
from components.split.component import split_step
from components.validate.component import validate_step
from lesionflow.config import Settings, load_params
from lesionflow.config.challenger import InitialWeights, Trigger
from lesionflow.config.loading import section_text
from lesionflow.config.presets import find_params
from lesionflow.config.presets.change_plans import find_change_plan
from lesionflow.config.sqlite_address import sqlite_address
from lesionflow.io.stores.private import pseudonym_key
from lesionflow.steps import STEPS
from lesionflow.steps.fan_out.sweep import read_candidates
from lesionflow.workspace.retraining.command import TRIGGER
from pipelines.fan_out import CANDIDATES, Studies, make_arrays, make_bundle, make_cases
from pipelines.local_run import container_runner, starts_in, with_image, with_source
from pipelines.pod_settings import FanOut

PIPELINE_NAME, SWEEP_NAME = "lesionflow-retrain", "lesionflow-sweep"
DESCRIPTION = "Versioned studies in, a champion model out."
ONE_POD = FanOut()


def _all_steps(fan_out: FanOut, given: Mapping[str, Any]) -> None:
    """Make the tasks of a retraining.

    Args:
        fan_out: How wide.
        given: The arguments of `retrain`.
    """
    store = given["project_store"]
    cases = make_cases(fan_out, Studies(*(given[name] for name in Studies._fields)), store, given["ingest"])
    case_folder = cases.outputs["cases"]
    checked = validate_step(cases=case_folder, params=given["validate"])
    divided = split_step(
        cases=case_folder, validation=checked.outputs["validation"], project_store=store, params=given["split"]
    )
    divided.set_caching_options(enable_caching=False)
    splits = pin_splits_step(project_store=store, pin=divided.outputs["Output"]).outputs["splits"]
    plan = plan_step(cases=case_folder, splits=splits, project_store=store, params=given["plan"]).outputs["plan"]
    arrays = make_arrays(fan_out, {"cases": case_folder, "plan": plan}, store, given["preprocess"])
    inputs = {"cases": case_folder, "preprocessed": arrays.outputs["preprocessed"], "splits": splits, "plan": plan}
    bundle = make_bundle(fan_out, inputs, given["train"], given.get(CANDIDATES)).outputs["bundle"]
    scored = evaluate_step(cases=case_folder, splits=splits, bundle=bundle, params=given["evaluate"])
    registered = register_step(bundle=bundle, evaluation=scored.outputs["evaluation"], params=given["register"])
    # Decided once, as DVC does it: the same challenger is not tried again until it passes.
    promote_step(
        cases=case_folder,
        splits=splits,
        evaluation=scored.outputs["evaluation"],
        registration=registered.outputs["registration"],
        change_plan=given["change_plan"],
        params=given["promote"],
    )


@dsl.pipeline(name=PIPELINE_NAME, description=DESCRIPTION)
def retrain(
    project_store: str,
    change_plan: str,
    ingest: str,
    validate: str,
    split: str,
    plan: str,
    preprocess: str,
    train: str,
    evaluate: str,
    register: str,
    promote: str,
    data_repository: str = "",
    data_revision: str = "",
    data_remote: str = "",
    raw_path: str = "",
) -> None:
    """Run every step by its section of params.yaml, as text: Kubeflow forgets the order of a dict, and with it which of two labels wins.

    Args:
        project_store: What steps go on from lies there between runs: a folder that all pods see, or an address such as `s3://bucket/project`.
        change_plan: The text of `change_plan.yaml`.
        ingest: A section, as are those that follow.
        validate: A section.
        split: A section.
        plan: A section.
        preprocess: A section.
        train: A section.
        evaluate: A section.
        register: A section.
        promote: A section.
        data_repository: A git repository in whose root lies a workspace with recorded studies.
        data_revision: A branch, tag or commit of it; empty for the newest.
        data_remote: DVC's remote, by name or address; empty for the repository's own.
        raw_path: A folder of studies that pods see, instead of a repository.
    """
    _all_steps(ONE_POD, locals())


def fanned_out(fan_out: FanOut, *, sweeps: bool = False) -> Any:
    """Return the pipeline with steps on several pods at once; fanned out it gives the same, byte for byte.

    Args:
        fan_out: How wide.
        sweeps: It takes one argument more, `candidates`: a list of texts, each the keys of `train` that are a candidate's own. All are trained,
            and the one that its validation cases say is best goes on; the test set is read once.
    """
    if not (fan_out.is_wide or sweeps):
        return retrain
    plain = inspect.signature(retrain.pipeline_func)
    more = [inspect.Parameter(CANDIDATES, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=list)] if sweeps else []
    signature = plain.replace(parameters=[*more, *plain.parameters.values()])

    @functools.wraps(retrain.pipeline_func)
    def build(*args: Any, **kwargs: Any) -> None:
        _all_steps(fan_out, signature.bind(*args, **kwargs).arguments)

    build.__signature__ = signature  # type: ignore[attr-defined]
    return dsl.pipeline(name=SWEEP_NAME if sweeps else PIPELINE_NAME, description=DESCRIPTION)(build)


def run_locally(
    params_file: Path,
    studies: Studies,
    root: Path,
    *,
    because: Trigger = Trigger.HAND,
    initial_weights: InitialWeights | None = None,
    change_plan: Path | None = None,
    project_store: str = "",
    image: str | None = None,
    fan_out: FanOut = ONE_POD,
    candidates: Sequence[str] = (),
) -> Path:
    """Run the pipeline on this machine; finished steps are kept in a cache.

    Args:
        params_file: A whole params file.
        studies: Which.
        root: Where outputs and cache go.
        because: Why: told at the run and the version.
        initial_weights: Where challengers begin, one run each; as the params say without.
        change_plan: What a new model must show; without, the one that goes with the params.
        project_store: Without, the folder `store` in `root`.
        image: Each step runs in a container of this image; without, in a process of this Python.
        fan_out: How many parts of a step run at once.
        candidates: Texts of what is each one's own in `train`; the best of them goes on. Without, there is one training.

    Returns:
        The folder of the outputs.
    """
    root = root.resolve()
    root.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLFLOW_TRACKING_URI", sqlite_address(root / "mlflow.db"))
    os.environ[TRIGGER] = because
    store = project_store or str(root / "store")
    settings = Settings()
    if settings.pseudonym_key is None:
        # One key for all steps; a container does not see this machine's private folder.
        os.environ["LESIONFLOW_PSEUDONYM_KEY"] = pseudonym_key(settings.private_dir)
    here = str(Path(__file__).resolve().parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    folders = [
        Path(one)
        for one in (studies.raw_path, studies.data_repository, studies.data_remote, store)
        if one.startswith("/")
    ]
    local.init(
        runner=container_runner([root, *folders]) if image else local.SubprocessRunner(use_venv=False),
        pipeline_root=str(root / "outputs"),
        raise_on_error=True,
        enable_caching=True,
        cache_root=str(root / "cache"),
    )
    pipeline = fanned_out(fan_out, sweeps=bool(candidates))
    pipeline = with_image(pipeline, image) if image else pipeline
    sections = load_params(params_file)
    for start in starts_in(sections, params_file, initial_weights):
        sections["train"] = with_source(sections["train"], start.source)
        pipeline(
            project_store=store,
            change_plan=(change_plan or find_change_plan(params_file)).read_text(encoding="utf-8"),
            **studies._asdict(),
            **{name: section_text(sections[name]) for name in STEPS},
            **({CANDIDATES: list(candidates)} if candidates else {}),
        )
    return root / "outputs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pipeline from the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.retrain", description=__doc__)
    parser.add_argument("--local", action="store_true", required=True, help="on this machine")
    parser.add_argument("--params", required=True, help="a preset's name, or a params file")
    parser.add_argument("--change-plan", type=Path, help="what a new model must show; without, the preset's")
    parser.add_argument("--data", type=Path, help="a folder of studies; data/raw, where no repository is given")
    parser.add_argument(
        "--data-repository", default="", help="a git repository with recorded studies, instead of --data"
    )
    parser.add_argument("--data-revision", default="", help="its branch, tag or commit; the newest without")
    parser.add_argument(
        "--data-remote", default="", help="DVC's remote, by name or address; the repository's own without"
    )
    parser.add_argument("--project-store", default="", help="a folder or an address; ROOT/store without")
    parser.add_argument("--root", type=Path, default=Path(".kfp"))
    parser.add_argument("--runner", choices=["subprocess", "docker"], default="subprocess")
    parser.add_argument("--image", default=IMAGE, help="what --runner docker runs")
    parser.add_argument("--because", type=Trigger, choices=list(Trigger), default=Trigger.HAND)
    parser.add_argument("--from", dest="initial_weights", type=InitialWeights, choices=list(InitialWeights))
    parser.add_argument("--shards", type=int, default=1, help="parts of ingest and preprocess that run at once")
    parser.add_argument("--folds", type=int, default=1, help="folds that are trained at once; as many as the split has")
    parser.add_argument(
        "--candidates",
        type=Path,
        help="a YAML list: each entry the keys of `train` that are a candidate's own; the best goes on",
    )
    parsed = parser.parse_args(arguments)
    params = find_params(parsed.params)
    fan_out = FanOut(shards=parsed.shards, folds=parsed.folds)
    data = parsed.data or (None if parsed.data_repository else Path("data/raw"))
    outputs = run_locally(
        params,
        Studies(str(data.resolve()) if data else "", parsed.data_repository, parsed.data_revision, parsed.data_remote),
        parsed.root,
        because=parsed.because,
        initial_weights=parsed.initial_weights,
        change_plan=parsed.change_plan,
        project_store=parsed.project_store,
        image=parsed.image if parsed.runner == "docker" else None,
        fan_out=fan_out,
        candidates=read_candidates(parsed.candidates, load_params(params)["train"]) if parsed.candidates else (),
    )
    sys.stdout.write(f"Outputs lie in {outputs}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
