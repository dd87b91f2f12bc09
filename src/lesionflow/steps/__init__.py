"""The only list of steps. The command line, DVC, Kubeflow and the tests all call `run_step`."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from lesionflow.config.loading import load_section
from lesionflow.config.sections.cases import IngestConfig, SplitConfig, ValidateConfig
from lesionflow.config.sections.plan import PlanConfig, PreprocessConfig
from lesionflow.config.sections.promotion import EvaluateConfig, PromoteConfig, RegisterConfig
from lesionflow.config.sections.section import Section
from lesionflow.config.sections.train import TrainConfig
from lesionflow.config.settings import Settings
from lesionflow.errors import ConfigError


class Step(NamedTuple):
    """One step: the class of its params section, its inputs and outputs by name, what it does, where `run` lives.

    `loaded_by_workers` names what its worker processes need, where it has any: they load it while `run` is loaded, which
    need not load the libraries that they alone use.
    """

    section: type[Section]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    summary: str
    module: str
    loaded_by_workers: tuple[str, ...] = ()


STEPS: Mapping[str, Step] = {
    "ingest": Step(
        IngestConfig,
        ("raw",),
        ("cases",),
        "Read studies of any layout, de-identified, into cases.",
        "lesionflow.steps.ingest.step",
        ("lesionflow.steps.ingest.step",),
    ),
    "validate": Step(
        ValidateConfig,
        ("cases",),
        ("validation",),
        "Check the case table; quarantine or fail.",
        "lesionflow.steps.validate",
    ),
    "split": Step(
        SplitConfig,
        ("cases", "validation"),
        ("splits",),
        "Divide patients; the test set is locked.",
        "lesionflow.steps.split",
    ),
    "plan": Step(
        PlanConfig,
        ("cases", "splits"),
        ("plan",),
        "Measure the training cases and decide how to train.",
        "lesionflow.steps.plan.step",
        ("lesionflow.steps.plan.case_facts", "lesionflow.io.images.nifti", "lesionflow.preprocessing"),
    ),
    "preprocess": Step(
        PreprocessConfig,
        ("cases", "plan"),
        ("preprocessed",),
        "Bring every case to model space.",
        "lesionflow.steps.preprocess",
        ("lesionflow.steps.preprocess", "lesionflow.io.images.nifti", "lesionflow.preprocessing", "blosc2"),
    ),
    "train": Step(
        TrainConfig,
        ("cases", "preprocessed", "splits", "plan"),
        ("bundle",),
        "Train the network; write the bundle.",
        "lesionflow.steps.train.step",
    ),
    "evaluate": Step(
        EvaluateConfig,
        ("cases", "splits", "bundle"),
        ("evaluation",),
        "Score whole volumes in source space.",
        "lesionflow.steps.evaluate.step",
    ),
    "register": Step(
        RegisterConfig,
        ("bundle", "evaluation"),
        ("registration",),
        "Register the bundle as challenger.",
        "lesionflow.steps.register",
    ),
    "promote": Step(
        PromoteConfig,
        ("cases", "splits", "evaluation", "registration"),
        ("promotion",),
        "Make the challenger champion if it is provably better.",
        "lesionflow.steps.promote",
    ),
}


def run_step(
    name: str, params: Mapping[str, object], inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> Mapping[str, float]:
    """Check the params section, run the step, return its counts.

    Args:
        name: A key of `STEPS`.
        params: The step's params section as plain values.
        inputs: A path for each of the step's inputs; each must exist.
        outputs: A path for each of the step's outputs; parents are made.

    Returns:
        Figures that say what was done, such as `n_cases`.

    Raises:
        ConfigError: When the name, the params or the paths do not fit the step.
    """
    step = STEPS.get(name)
    if step is None:
        message = f"Expected one of the steps {', '.join(STEPS)}, found {name!r}."
        raise ConfigError(message)
    section = load_section(step.section, params, name)
    _require_names(name, "inputs", step.inputs, inputs)
    _require_names(name, "outputs", step.outputs, outputs)
    for key, path in inputs.items():
        if not Path(path).exists():
            message = (
                f"Step {name}: expected its input `{key}` at {path}, found nothing there. Run the step that makes it."
            )
            raise ConfigError(message)
    for path in outputs.values():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    settings = Settings()
    if step.loaded_by_workers:
        import_module("lesionflow.steps.parallel").prepare_workers(step.loaded_by_workers, settings.workers)
    run = import_module(step.module).run
    counts: Mapping[str, float] = run(
        section, {k: Path(v) for k, v in inputs.items()}, {k: Path(v) for k, v in outputs.items()}, settings
    )
    return counts


def _require_names(name: str, what: str, expected: tuple[str, ...], given: Mapping[str, Path]) -> None:
    if set(expected) != set(given):
        message = f"Step {name}: expected the {what} {', '.join(expected)}, found {', '.join(given) or 'none'}."
        raise ConfigError(message)
