"""What a dataset declares of itself, and the columns of its case table."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["ct", "pet", "mr", "picture"]
#: What a rule may make of a structure beside a label: not wanted, or voxels that are not known (`data.volume.IGNORED`).
BACKGROUND, IGNORE = "background", "ignore"


class Target(BaseModel):
    """One output of the network: a region of the image, the union of `labels`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    labels: tuple[int, ...]


class Dataset(BaseModel):
    """Channels and labels that all cases of a dataset share.

    `channels` maps name to kind, in the order of a volume's first axis; `labels` maps name to integer; `regions` maps
    name to the labels it unites (empty: each label is its own target); `series_descriptions`, `body_parts` and
    `reconstruction_kernels` map those channels whose DICOM series must be told from others of its modality to a regular
    expression searched in what the series says of itself.

    Examples:
        BraTS: of the three labels, two unions and one label alone are what a network is to find, the widest first.

        >>> brats = Dataset(
        ...     name="gliomas",
        ...     channels={"T1c": "mr", "FLAIR": "mr"},
        ...     labels={"NCR": 1, "ED": 2, "ET": 3},
        ...     regions={"ET": (3,), "TC": (1, 3), "WT": (1, 2, 3)},
        ... )
        >>> [(target.name, target.labels) for target in brats.targets]
        [('WT', (1, 2, 3)), ('TC', (1, 3)), ('ET', (3,))]
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    channels: Annotated[dict[str, Kind], Field(min_length=1)]
    labels: Annotated[dict[str, int], Field(min_length=1)]
    regions: dict[str, tuple[int, ...]]
    series_descriptions: dict[str, str] = Field(default_factory=dict)
    body_parts: dict[str, str] = Field(default_factory=dict)
    reconstruction_kernels: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _regions_unite_known_labels(self) -> "Dataset":
        known = set(self.labels.values())
        for name, labels in self.regions.items():
            if not labels or not set(labels) <= known:
                message = f"region {name!r} unites {labels}, but the labels are {sorted(known)}"
                raise ValueError(message)
        if self.regions and set().union(*map(set, self.regions.values())) != known:
            message = "every label must belong to a region"
            raise ValueError(message)
        return self

    @property
    def targets(self) -> tuple[Target, ...]:
        """The outputs of a network, widest region first, so that a narrower one may be written over it."""
        if not self.regions:
            return tuple(Target(name=name, labels=(label,)) for name, label in self.labels.items())
        widest_first = sorted(self.regions.items(), key=lambda item: -len(item[1]))
        return tuple(Target(name=name, labels=tuple(labels)) for name, labels in widest_first)


#: Columns of `cases.parquet`, one row a case, nothing that identifies anybody. A column that holds one figure a channel
#: or label is named `<column>__<name>`.
CASE_COLUMNS = (
    "case_id",
    "patient_id",
    "source_format",
    "n_slices",
    "n_rows",
    "n_columns",
    "spacing_slice_mm",
    "spacing_row_mm",
    "spacing_column_mm",
    "image_sha256",
    "mask_sha256",
    "has_mask",
    "labels_present",
    "n_lesions",
    "tumor_ml",
    "inside_body_fraction",
    "mirrored_inside_fraction",
    "orientation",
    "obliqueness_degrees",
    "n_flat_slices",
    "n_repeated_slices",
    "coarse_grid",
    "image_detail",
    "modality",
    "manufacturer",
    "site",
    "sex",
    "age_years",
)
#: Columns with one figure a channel: `<column>__<channel>`.
CHANNEL_COLUMNS = ("min", "p01", "mean", "p99", "max", "n_nan", "outline_contrast")
