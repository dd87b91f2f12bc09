"""The plan: every decision that turns a study into a mask, frozen, so that training and serving can't drift apart."""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lesionflow.data.dataset import Dataset, Kind, Target
from lesionflow.data.foreign import ForeignModel


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChannelPlan(_Frozen):
    """How one channel's intensities become network input: clip to [lower, upper], then (x - mean) / std.

    For kind `mr` and `picture`, mean and std are measured on each volume (non-zero voxels) and the fields here are null.
    `dark_background`: pictures on a bright background are turned light to dark, so that all show bright things on dark.
    """

    name: str
    kind: Kind
    lower: float | None
    upper: float | None
    mean: float | None
    std: float | None
    dark_background: bool = False


class ArchitecturePlan(_Frozen):
    """A network by its name in `models.ARCHITECTURES` and that architecture's options.

    Where `n_members` is above 1, as many networks of this kind answer as one (`models.ensemble`).
    """

    name: str
    options: dict[str, Any]
    n_members: Annotated[int, Field(ge=1)] = 1


class InferencePlan(_Frozen):
    """How patches become a mask."""

    overlap_fraction: float
    flip_axes: tuple[int, ...]
    probability_threshold: float
    min_lesion_ml: float
    fill_holes: bool


class CoarsePlan(_Frozen):
    """The first stage of a cascade: networks on the model space shrunk by whole factors, who see more of the body at once.

    What they find, a probability a target, is given to the plan's own network as further channels: coarse predictions. `factors` are those of
    (slice, row, column); `patch_size` is in the shrunk space.
    """

    factors: tuple[int, int, int]
    patch_size: tuple[int, int, int]
    batch_size: int
    architecture: ArchitecturePlan


class Decision(_Frozen):
    """One decision in words, for people."""

    what: str
    value: str
    why: str

    @classmethod
    def of(cls, what: str, value: object, why: str) -> "Decision":
        """Make one of any value that has words."""
        return cls(what=what, value=str(value), why=why)


class Plan(_Frozen):
    """Everything that preprocessing, training, inference and serving read.

    `spacing_mm` is the model space's (slice, row, column) spacing; a null slice spacing keeps each study's own slices.
    `patch_size` is (slice, row, column) in model space; in 2D its first entry is `context_slices` and the network sees
    (channel x context_slices) planes and predicts the middle one. `coarse` makes a 3D plan a cascade. With `foreign`, another program's
    network answers, and what is said here of space and patches tells what that program does.

    Examples:
        A network that looks at three slices of CT and PET has six input channels; nothing of the batch changes an array.

        >>> channels = ("CT", "ct", -200.0, 300.0, 40.0, 60.0), ("PET", "pet", 0.0, 20.0, 2.0, 3.0)
        >>> plan = Plan(
        ...     dataset=Dataset(name="d", channels={"CT": "ct", "PET": "pet"}, labels={"tumor": 1}, regions={}),
        ...     dimensions=2,
        ...     spacing_mm=(None, 0.8, 0.5),
        ...     patch_size=(3, 32, 48),
        ...     batch_size=2,
        ...     context_slices=3,
        ...     channels=tuple(ChannelPlan(**dict(zip(ChannelPlan.model_fields, row))) for row in channels),
        ...     denoising="none",
        ...     bias_field_correction=False,
        ...     architecture=ArchitecturePlan(name="unet", options={"depth": 4}),
        ...     inference=InferencePlan(
        ...         overlap_fraction=0.5, flip_axes=(), probability_threshold=0.5, min_lesion_ml=0.1, fill_holes=True
        ...     ),
        ...     decisions=(),
        ... )
        >>> plan.in_channels
        6
        >>> larger = plan.model_copy(update={"batch_size": 4})
        >>> larger.digest() == plan.digest(), larger.preprocessing_digest() == plan.preprocessing_digest()
        (False, True)
    """

    format: Literal[1] = 1
    dataset: Dataset
    dimensions: Literal[2, 3]
    spacing_mm: tuple[float | None, float | None, float | None]
    patch_size: tuple[int, int, int]
    batch_size: int
    context_slices: int
    channels: tuple[ChannelPlan, ...]
    denoising: Literal["none", "median", "curvature"]
    bias_field_correction: bool
    architecture: ArchitecturePlan
    inference: InferencePlan
    decisions: tuple[Decision, ...]
    coarse: CoarsePlan | None = None
    # Plans of our own networks stay byte for byte what they were before there were others.
    foreign: ForeignModel | None = Field(default=None, exclude_if=lambda foreign: foreign is None)

    @property
    def targets(self) -> tuple[Target, ...]:
        """The network's outputs, in order."""
        return self.dataset.targets

    @property
    def in_channels(self) -> int:
        """Input channels of the network: in 2D, neighboring slices are channels too; in a cascade, so are coarse predictions."""
        return len(self.channels) * (self.context_slices if self.dimensions == 2 else 1) + self.n_coarse_predictions

    @property
    def n_coarse_predictions(self) -> int:
        """Channels that the first stage of a cascade gives to the network: one a target."""
        return len(self.targets) if self.coarse else 0

    def first_stage(self) -> "Plan | None":
        """Return the plan of a cascade's first stage as if it stood alone; None where there is none."""
        if self.coarse is None:
            return None
        steps = zip(self.spacing_mm, self.coarse.factors, strict=True)
        slices, rows, columns = (step and step * factor for step, factor in steps)
        return self.model_copy(
            update={
                "spacing_mm": (slices, rows, columns),
                "patch_size": self.coarse.patch_size,
                "batch_size": self.coarse.batch_size,
                "architecture": self.coarse.architecture,
                "coarse": None,
            }
        )

    def digest(self) -> str:
        """Return the sha256 of the plan's content; a field added later, at its default, does not change it."""
        return hashlib.sha256(self.model_dump_json(exclude_defaults=True).encode()).hexdigest()

    def preprocessing_digest(self) -> str:
        """Return the sha256 of those decisions alone that change a preprocessed array."""
        keys = {"format", "dataset", "spacing_mm", "channels", "denoising", "bias_field_correction"}
        return hashlib.sha256(self.model_dump_json(include=keys, exclude_defaults=True).encode()).hexdigest()
