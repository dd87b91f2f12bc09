"""A network that another program runs in an environment of its own: what that program must be told, as plain values."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class ForeignModel(BaseModel):
    """A trained nnU-Net (version 2), as its model folder describes it. Its weights are the bundle's, `fold_<name>/<parameter>`.

    Args:
        program: Which.
        trainer: The class of its trainer, found by the program among its own.
        configuration: `2d`, `3d_fullres`, `3d_lowres`.
        folds: Names of the folds, whose networks answer as one.
        plans: What `plans.json` holds.
        declaration: What `dataset.json` holds.
        mirroring_axes: Axes that it may flip, None for none.
        aliases: Parameters that are others by a second name, and whose: stored once.
        label_values: Our label of nnU-Net's label 1, 2, 3, ...
        heads: Our labels that each output channel stands for; empty for the background.
        exclusive: Whether the channels are parts of one (softmax); otherwise each answers for itself (sigmoid).
        sha256: Over the weights as they were found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    program: Literal["nnunet"]
    trainer: str
    configuration: str
    folds: tuple[str, ...]
    plans: dict[str, Any]
    declaration: dict[str, Any]
    mirroring_axes: tuple[int, ...] | None
    aliases: dict[str, str]
    label_values: tuple[int, ...]
    heads: tuple[tuple[int, ...], ...]
    exclusive: bool
    sha256: str
