"""Params of `train`: folds, budget, loss, optimizer, first weights and augmentation."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lesionflow.config.sections.section import Auto, Count, Fraction, MadeAnew, NotNegative, Positive, Section


class AugmentationConfig(Section):
    """Random changes of a training patch; each probability is by sample."""

    made_anew: ClassVar = MadeAnew.TRAINING

    flip_probability: Fraction
    """Probability that a patch is mirrored, for each axis."""
    rotation_degrees: Annotated[float, Field(ge=0.0, le=180.0)]
    """Largest rotation in plane, either way."""
    scale_fraction: Fraction
    """Sizes change by a factor from 1 / (1 + f) to 1 + f."""
    affine_probability: Fraction
    """Probability of rotation and scale, together."""
    elastic_probability: Fraction
    """Probability of a smooth deformation."""
    elastic_amplitude_mm: NotNegative
    """Largest displacement of the deformation along an axis."""
    elastic_scale_mm: Positive
    """Distance over which the deformation varies."""
    noise_probability: Fraction
    """Probability of added Gaussian noise."""
    noise_std: NotNegative
    """Largest standard deviation of the noise, in units of normalized intensity."""
    blur_probability: Fraction
    """Probability of a Gaussian blur."""
    blur_sigma_mm: NotNegative
    """Largest sigma of the blur."""
    inversion_probability: Fraction
    """Probability that light is turned to dark and dark to light; for channels of kind `picture` alone."""
    contrast_probability: Fraction
    """Probability of a change of contrast."""
    contrast_fraction: NotNegative
    """Contrast changes by a factor from 1 / (1 + f) to 1 + f."""
    gamma_probability: Fraction
    """Probability of a gamma curve."""
    gamma_fraction: NotNegative
    """Gamma lies from 1 / (1 + f) to 1 + f."""
    low_resolution_probability: Fraction
    """Probability that a patch is shrunk and enlarged again, as if scanned coarsely."""
    low_resolution_factor: Annotated[float, Field(ge=1.0)]
    """Largest factor of the shrinking."""
    hint_loss_probability: Fraction
    """In a cascade: probability that a sample is shown none of the first stage's predictions, lest the network lean on them alone."""


class TransferConfig(Section):
    """Weights to start from."""

    made_anew: ClassVar = MadeAnew.TRAINING

    source: Annotated[str, Field(min_length=1)]
    """`none`, a bundle's folder, `models:/NAME@ALIAS` or `models:/NAME/VERSION`, a file of weights, or its https address."""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{8,64})?$")]
    """The first 8 to 64 digits of the file's hash: required for an address, else may be empty."""
    frozen_epochs: Annotated[int, Field(ge=0)]
    """For so many epochs at the start the encoder stays as it came."""
    encoder_learning_rate_fraction: Annotated[float, Field(gt=0.0, le=1.0)]
    """Learning rate of the encoder over that of the rest; 1 for the same."""


class TrainConfig(Section):
    """Params of `train`. Epochs are by fold, minutes for all folds together."""

    made_anew: ClassVar = MadeAnew.TRAINING

    seed: int
    """Source of all randomness of a training; fold f of several has this plus f."""
    folds: Literal["one", "ensemble", "final"]
    """`one` fold (`split.fold`), an `ensemble` of a network a fold, or those and then a `final` network on all cases."""
    max_epochs: Count
    """Epochs of a fold at most; where this ends training, the same data give the same weights."""
    max_minutes: Positive
    """Minutes of all folds together at most, time before a kill included; schedules fit themselves to it."""
    batches_per_epoch: Count
    """Training steps between two validations."""
    foreground_fraction: Fraction
    """Which share of the patches is drawn around an outlined voxel; the others lie anywhere."""
    size_exponent: Fraction
    """A case of n voxels is drawn in proportion to n to this power: 0 draws all cases alike, 1 all voxels."""
    loss: Literal["dice", "bce", "dice_bce", "dice_ce", "focal", "tversky"]
    """What training lowers; `dice_ce` needs outputs that exclude one another."""
    optimizer: Literal["adam", "adamw", "sgd"]
    """How weights follow the gradient; `sgd` has Nesterov momentum."""
    learning_rate: Positive
    """Learning rate at the start."""
    weight_decay: NotNegative
    """The optimizer's pull of the weights towards zero."""
    scheduler: Literal["plateau", "polynomial", "cosine"]
    """How the learning rate falls: when the Dice stays (`plateau`), or along a curve to the end of training."""
    plateau_patience_epochs: Count
    """With `plateau`: epochs without a better Dice before the learning rate falls."""
    plateau_factor: Annotated[float, Field(gt=0.0, lt=1.0)]
    """With `plateau`: what the learning rate is multiplied by then."""
    early_stopping_patience_epochs: Count
    """Epochs without a better Dice before training stops."""
    gradient_clip_norm: Positive
    """Longer gradients are shortened to this length."""
    max_validation_slices_per_case: Count
    """Slices of a case that are looked at after each epoch, at most; fewer take less time."""
    deterministic: bool
    """Whether operations are refused whose result varies between runs; on a GPU `true` is slower."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Number format of convolutions in training; `auto` takes what the device is built for."""
    compile: bool | Auto
    """Whether `torch.compile` makes the training steps; `auto` on a GPU alone."""
    devices: Count
    """Processes on each machine that share every batch, each with a GPU of its own where there are any."""
    nodes: Count
    """Machines that share every batch."""
    transfer: TransferConfig
    averaging_decay: Annotated[float, Field(ge=0.0, lt=1.0)]
    """Decay of a moving average of the weights that is validated and kept in their place; 0 keeps the weights themselves."""
    picture_every_epochs: Annotated[int, Field(ge=0)]
    """After how many epochs pictures of what is found go to MLflow; 0 for never."""
    augmentation: AugmentationConfig
