"""The only list of steps, which the command line, DVC, Kubeflow and the tests all run by `run_step`. What needs no params and no paths belongs below."""

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from lesionflow.config.loading import SectionValues, load_section
from lesionflow.config.required_settings import require_stated_settings
from lesionflow.config.sections.evaluate_register_promote import EvaluateConfig, PromoteConfig, RegisterConfig
from lesionflow.config.sections.ingest_validate_split import IngestConfig, SplitConfig, ValidateConfig
from lesionflow.config.sections.plan_preprocess import PlanConfig, PreprocessConfig
from lesionflow.config.sections.section import Section
from lesionflow.config.sections.train import TrainConfig
from lesionflow.config.settings import Settings
from lesionflow.errors import ConfigError
from lesionflow.machine.extras import naming_extras, require
from lesionflow.machine.threads import limit_library_threads

#: What a process counts that helps another one.
HELPER = "rank"


class Step(NamedTuple):
    """One step: the class of its params section, its inputs and outputs by name, what it does, where `run` lives.

    `continues` says that the step goes on from its own earlier output, where that lies at its place. `loaded_by_workers`
    names what its worker processes need, where it has any: they load it while `run` is loaded, which need not load the
    libraries that they alone use.
    """

    section: type[Section]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    summary: str
    module: str
    loaded_by_workers: tuple[str, ...] = ()
    continues: bool = False


STEPS: Mapping[str, Step] = {
    "ingest": Step(
        IngestConfig,
        ("raw",),
        ("cases",),
        "Read studies of any layout, de-identified, into cases.",
        "lesionflow.steps.ingest.step",
        ("lesionflow.steps.ingest.step",),
        continues=True,
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
        continues=True,
    ),
    "preprocess": Step(
        PreprocessConfig,
        ("cases", "plan"),
        ("preprocessed",),
        "Bring every case to model space.",
        "lesionflow.steps.preprocess",
        ("lesionflow.steps.preprocess", "lesionflow.io.images.nifti", "lesionflow.preprocessing", "blosc2"),
        continues=True,
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
        ("cases", "splits", "evaluation", "registration", "change_plan"),
        ("promotion", "decision"),
        "Make the challenger champion if it is provably better.",
        "lesionflow.steps.promote.step",
    ),
}


def run_step(
    name: str,
    params: SectionValues,
    inputs: Mapping[str, Path],
    outputs: Mapping[str, Path],
    *,
    project_store: str = "",
) -> Mapping[str, float]:
    """Check the params section, run the step, attest what it took and made, return its counts.

    Args:
        name: A key of `STEPS`.
        params: The step's params section: plain values, or its text.
        inputs: A path for each of the step's inputs; each must exist.
        outputs: A path for each of the step's outputs; parents are made.
        project_store: Where nothing is left between runs: a folder or an address under which outputs are kept, and gone on from.

    Returns:
        Figures that say what was done, such as `n_cases`.

    Raises:
        ConfigError: When the name, the params or the paths do not fit the step, a setting is missing that whoever
            started this process says it needs, or the signing key can't be read.
    """
    step = step_named(name)
    _require_names(name, "inputs", step.inputs, inputs)
    _require_names(name, "outputs", step.outputs, outputs)
    section, settings = prepare_step(name, params, inputs, outputs)
    taken, made = {k: Path(v) for k, v in inputs.items()}, {k: Path(v) for k, v in outputs.items()}
    with naming_extras():
        run = import_module(step.module).run
        if project_store:
            kept = import_module("lesionflow.steps.kept_output").run_kept
            run = partial(kept, run, project_store=project_store, continues=step.continues)
        witness = import_module("lesionflow.steps.attesting").watch(name, section, taken, settings)
        counts: Mapping[str, float] = run(section, taken, made, settings)
    # A process that helps another to train makes nothing itself.
    if HELPER not in counts:
        witness.attest(made)
    return counts


def step_named(name: str) -> Step:
    """Return a step.

    Raises:
        ConfigError: When there is none of that name.
    """
    if name not in STEPS:
        raise ConfigError(f"Expected one of the steps {', '.join(STEPS)}, found {name!r}.")
    return STEPS[name]


def prepare_step(
    name: str, params: SectionValues, inputs: Mapping[str, Path], outputs: Mapping[str, Path]
) -> tuple[Section, Settings]:
    """Check what a step is given before it runs, make room for its outputs, and load what its workers need.

    Args:
        name: The step.
        params: Its params section: plain values, or its text.
        inputs: Each must exist.
        outputs: Parents are made.

    Returns:
        Its params, checked, and this process's settings.

    Raises:
        ConfigError: When the params do not fit, an input or a setting is missing.
    """
    step = step_named(name)
    require_stated_settings()
    section = load_section(step.section, params, name)
    for key, path in inputs.items():
        if not Path(path).exists():
            raise ConfigError(
                f"Step {name}: expected its input `{key}` at {path}, found nothing there. Run the step that makes it."
            )
    for path in outputs.values():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    settings = Settings()
    limit_library_threads()
    for library in step.loaded_by_workers:
        require(library)
    if step.loaded_by_workers:
        import_module("lesionflow.steps.parallel").prepare_workers(step.loaded_by_workers, settings.workers)
    return section, settings


def _require_names(name: str, what: str, expected: tuple[str, ...], given: Mapping[str, Path]) -> None:
    if set(expected) != set(given):
        message = f"Step {name}: expected the {what} {', '.join(expected)}, found {', '.join(given) or 'none'}."
        raise ConfigError(message)
