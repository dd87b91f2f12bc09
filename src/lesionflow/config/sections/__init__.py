"""One frozen class a params.yaml section: its fields say what may be set, in which range, and what it does. Reading a file belongs to `loading`."""

from typing import Annotated

from pydantic import Field

from lesionflow.config.sections.evaluate_register_promote import EvaluateConfig, PromoteConfig, RegisterConfig
from lesionflow.config.sections.ingest_validate_split import IngestConfig, SplitConfig, ValidateConfig
from lesionflow.config.sections.plan_preprocess import PlanConfig, PreprocessConfig
from lesionflow.config.sections.section import Section
from lesionflow.config.sections.train import TrainConfig


class Params(Section):
    """A whole params.yaml: one section a step."""

    ingest: IngestConfig
    validate_: Annotated[ValidateConfig, Field(alias="validate")]
    split: SplitConfig
    plan: PlanConfig
    preprocess: PreprocessConfig
    train: TrainConfig
    evaluate: EvaluateConfig
    register_: Annotated[RegisterConfig, Field(alias="register")]
    promote: PromoteConfig
