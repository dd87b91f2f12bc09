"""How to train: plain values, named as in params.yaml."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What the training loop is told.

    Args:
        seed: Source of all randomness.
        max_epochs: Epochs at most; where this binds, the same data give the same weights.
        max_minutes: Wall-clock minutes at most, resumed parts included; where it binds, faster machines train more.
        loss: A key of `losses.LOSSES`.
        optimizer: `adam`, `adamw` or `sgd` (Nesterov).
        learning_rate: At the start.
        weight_decay: Of the optimizer.
        scheduler: `plateau`, `polynomial` or `cosine`.
        plateau_patience_epochs: Epochs without a better Dice after which the learning rate falls.
        plateau_factor: What it is multiplied by then.
        early_stopping_patience_epochs: Epochs without a better Dice after which training stops.
        gradient_clip_norm: Longest gradient.
        probability_threshold: From which probability on a voxel belongs, in validation.
        deterministic: Refuse operations whose result varies between runs.
        encoder: Regular expression at the start of the names of the encoder's weights.
        frozen_epochs: Epochs at the start in which the encoder's weights stay as they are.
        encoder_learning_rate_fraction: Learning rate of the encoder over that of the rest.
        averaging_decay: Of the moving average of the weights that is validated and kept; 0 for the weights themselves.
        picture_every_epochs: After how many epochs pictures of what is found are made; 0 for never.
        compile: Whether `torch.compile` makes the training steps; `auto` where the device is a GPU.
        precision: `float32`, `bfloat16` (of convolutions; weights stay float32), or `auto`: what the device is built for.
    """

    seed: int
    max_epochs: int
    max_minutes: float
    loss: str
    optimizer: str
    learning_rate: float
    weight_decay: float
    scheduler: str
    plateau_patience_epochs: int
    plateau_factor: float
    early_stopping_patience_epochs: int
    gradient_clip_norm: float
    probability_threshold: float
    deterministic: bool
    precision: str
    compile: bool | str
    encoder: str
    frozen_epochs: int
    encoder_learning_rate_fraction: float
    averaging_decay: float
    picture_every_epochs: int
