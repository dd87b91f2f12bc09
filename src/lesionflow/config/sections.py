"""One frozen class a params.yaml section; its fields say what may be set, in which range.

A value that can change a mask or a decision lives in params.yaml and has no default here.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
Label = Annotated[int, Field(ge=1, le=255)]
Triple = tuple[Positive, Positive, Positive]
ChannelKind = Literal["ct", "pet", "mr", "picture"]
Auto = Literal["auto"]
Severity = Literal["fail", "quarantine", "warn", "off"]


class Section(BaseModel):
    """Base of all sections: frozen, strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ChannelRule(Section):
    """Which series becomes a channel.

    `modality` is DICOM's (0008,0060) value; `series_description`, `body_part` and `reconstruction_kernel` are regular
    expressions searched, ignoring case, in (0008,103E), (0018,0015) and (0018,1210); an empty one, or none, fits any.
    """

    kind: ChannelKind
    modality: str
    series_description: str
    body_part: str = ""
    reconstruction_kernel: str = ""


class OutlineRule(Section):
    """Which outlined structure becomes which label: a regular expression matched against the whole ROI or segment name."""

    pattern: str
    label: str


class IngestConfig(Section):
    """Params of `ingest`.

    `layout` is a key of `io.READERS`, or `auto`; `patient_pattern` a regular expression whose first group is the patient's
    part of a case's name, for layouts that know no patients, or `auto`.
    """

    dataset_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
    layout: str
    patient_pattern: str
    channels: Annotated[dict[str, ChannelRule], Field(min_length=1)]
    reference_channel: str
    labels: Annotated[dict[str, Label], Field(min_length=1)]
    regions: dict[str, tuple[Label, ...]]
    outlines: tuple[OutlineRule, ...]
    slice_spacing_tolerance_fraction: Fraction
    max_rejected_fraction: Fraction


class ValidateConfig(Section):
    """Params of `validate`: limits of the case table and what happens beyond them.

    `champion_model_name`: the registered model whose champion's data the cases are compared with; empty for none.
    """

    min_cases: Count
    spacing_mm: tuple[Positive, Positive]
    min_shape: tuple[Count, Count, Count]
    ct_range_hu: tuple[float, float]
    max_suv: Positive
    tumor_volume_ml: tuple[Annotated[float, Field(ge=0.0)], Positive]
    min_inside_body_fraction: Fraction
    max_mirrored_gain_fraction: Fraction
    min_outline_contrast: Annotated[float, Field(ge=0.0)]
    max_obliqueness_degrees: Annotated[float, Field(ge=0.0, le=55.0)]
    max_scanner_fraction: Fraction
    max_drift: Fraction
    champion_model_name: str
    severity: dict[str, Severity]
    max_quarantined_fraction: Fraction


class SplitConfig(Section):
    """Params of `split`."""

    seed: int
    test_fraction: Fraction
    n_folds: Annotated[int, Field(ge=2)]
    fold: Annotated[int, Field(ge=0)]
    n_volume_strata: Count


class ArchitectureConfig(Section):
    """A network: its name in `models.ARCHITECTURES` and that architecture's own options."""

    name: str
    options: dict[str, Any]

    @field_validator("options")
    @classmethod
    def _whole_numbers_are_whole(cls, options: dict[str, Any]) -> dict[str, Any]:
        # A Kubeflow dict parameter gives every number back as a float; the same params must give the same plan.
        return {name: _whole(value) for name, value in options.items()}


class InferenceConfig(Section):
    """How patches become a mask."""

    overlap_fraction: Annotated[float, Field(ge=0.0, lt=1.0)]
    flip_axes: tuple[Annotated[int, Field(ge=0, le=2)], ...]
    probability_threshold: Annotated[float, Field(gt=0.0, lt=1.0)]
    min_lesion_ml: Annotated[float, Field(ge=0.0)]
    fill_holes: bool


class PlanConfig(Section):
    """Params of `plan`; `auto` lets the data decide (not null, which a Kubeflow parameter can't hold).

    `dark_background`: whether pictures on a bright background are turned light to dark.
    `cascade`: whether networks on shrunk volumes first tell the network what lies beyond its patch.

    `keep_within_fraction`: as long as added data move spacing and intensities by less, the plan that lies there is kept.
    """

    dimensions: Literal[2, 3] | Auto
    spacing_mm: tuple[Positive | Auto, Positive | Auto, Positive | Auto]
    patch_size: tuple[Count, Count, Count] | Auto
    batch_size: Count | Auto
    cascade: bool | Auto
    context_slices: Literal[1, 3, 5]
    memory_budget_mb: Count
    ct_window_hu: tuple[float, float] | Auto
    dark_background: bool | Auto
    keep_within_fraction: Fraction
    denoising: Literal["none", "median", "curvature"]
    bias_field_correction: bool
    architecture: ArchitectureConfig
    inference: InferenceConfig


class PreprocessConfig(Section):
    """Params of `preprocess`; what changes an array is in the plan."""

    max_failed_fraction: Fraction


class AugmentationConfig(Section):
    """Random changes of a training patch; each `probability` is by sample."""

    flip_probability: Fraction
    rotation_degrees: Annotated[float, Field(ge=0.0, le=180.0)]
    scale_fraction: Fraction
    affine_probability: Fraction
    elastic_probability: Fraction
    elastic_amplitude_mm: Annotated[float, Field(ge=0.0)]
    elastic_scale_mm: Positive
    noise_probability: Fraction
    noise_std: Annotated[float, Field(ge=0.0)]
    blur_probability: Fraction
    blur_sigma_mm: Annotated[float, Field(ge=0.0)]
    inversion_probability: Fraction
    contrast_probability: Fraction
    contrast_fraction: Annotated[float, Field(ge=0.0)]
    gamma_probability: Fraction
    gamma_fraction: Annotated[float, Field(ge=0.0)]
    low_resolution_probability: Fraction
    low_resolution_factor: Annotated[float, Field(ge=1.0)]
    hint_loss_probability: Fraction


class TransferConfig(Section):
    """Weights to start from: of `none`, a bundle's folder, `models:/name@alias`, a file of weights, or its address.

    `sha256`: the first 8 to 64 digits of a file's hash, required for an address; empty otherwise.
    """

    source: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{8,64})?$")]
    frozen_epochs: Annotated[int, Field(ge=0)]
    encoder_learning_rate_fraction: Annotated[float, Field(gt=0.0, le=1.0)]


class TrainConfig(Section):
    """Params of `train`.

    `folds`: train `one` fold of the split (`split.fold`), an `ensemble` of a network a fold, or those and then a `final`
    network on all cases. Epochs are by fold, minutes for all together.
    `size_exponent`: a case of n voxels is drawn in proportion to n to this power.
    `compile`: `torch.compile` for the training steps; `auto` on a GPU alone.
    `devices`: processes on each of `nodes` machines that share every batch, each with a GPU of its own where there are any.
    """

    seed: int
    folds: Literal["one", "ensemble", "final"]
    max_epochs: Count
    max_minutes: Positive
    batches_per_epoch: Count
    foreground_fraction: Fraction
    size_exponent: Fraction
    loss: Literal["dice", "bce", "dice_bce", "dice_ce", "focal", "tversky"]
    optimizer: Literal["adam", "adamw", "sgd"]
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0.0)]
    scheduler: Literal["plateau", "polynomial", "cosine"]
    plateau_patience_epochs: Count
    plateau_factor: Annotated[float, Field(gt=0.0, lt=1.0)]
    early_stopping_patience_epochs: Count
    gradient_clip_norm: Positive
    max_validation_slices_per_case: Count
    deterministic: bool
    precision: Literal["auto", "float32", "bfloat16"]
    compile: bool | Auto
    devices: Count
    nodes: Count
    transfer: TransferConfig
    averaging_decay: Annotated[float, Field(ge=0.0, lt=1.0)]
    picture_every_epochs: Annotated[int, Field(ge=0)]
    augmentation: AugmentationConfig


class EvaluateConfig(Section):
    """Params of `evaluate`."""

    n_bootstrap: Count
    confidence_level: Annotated[float, Field(gt=0.0, lt=1.0)]
    seed: int
    n_worst_cases: Count


class RegisterConfig(Section):
    """Params of `register`."""

    model_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]


class PromoteConfig(Section):
    """Params of `promote`: the rules that a challenger must hold."""

    model_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    metric: str
    min_test_patients: Count
    min_score: float
    min_gain: float
    confidence_level: Annotated[float, Field(gt=0.0, lt=1.0)]
    n_bootstrap: Count
    seed: int


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


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
