"""What may be set: one frozen class a params.yaml section, `Settings` from the environment, the presets. Nothing reads files of data."""

from lesionflow.config.loading import load_params, load_section
from lesionflow.config.sections import Params
from lesionflow.config.sections.evaluate_register_promote import EvaluateConfig, PromoteConfig, RegisterConfig
from lesionflow.config.sections.ingest_validate_split import (
    ChannelRule,
    IngestConfig,
    OutlineRule,
    SplitConfig,
    ValidateConfig,
)
from lesionflow.config.sections.plan_preprocess import ArchitectureConfig, InferenceConfig, PlanConfig, PreprocessConfig
from lesionflow.config.sections.section import (
    Auto,
    ChannelKind,
    Count,
    Fraction,
    Label,
    MadeAnew,
    Positive,
    Section,
    Severity,
    Triple,
)
from lesionflow.config.sections.train import AugmentationConfig, TrainConfig, TransferConfig
from lesionflow.config.settings import Settings, StudyLimits, load_study_limits

__all__ = [
    "ArchitectureConfig",
    "AugmentationConfig",
    "Auto",
    "ChannelKind",
    "ChannelRule",
    "Count",
    "EvaluateConfig",
    "Fraction",
    "InferenceConfig",
    "IngestConfig",
    "Label",
    "MadeAnew",
    "OutlineRule",
    "Params",
    "PlanConfig",
    "Positive",
    "PreprocessConfig",
    "PromoteConfig",
    "RegisterConfig",
    "Section",
    "Settings",
    "Severity",
    "SplitConfig",
    "StudyLimits",
    "TrainConfig",
    "TransferConfig",
    "Triple",
    "ValidateConfig",
    "load_params",
    "load_section",
    "load_study_limits",
]
