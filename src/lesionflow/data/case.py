"""A case: what we split, score and log."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lesionflow.data.volume import Mask, Volume, require_same_grid
from lesionflow.errors import InputError


@dataclass(frozen=True, eq=False)
class Case:
    """One imaging study of one patient, all channels on one grid.

    Args:
        case_id: Pseudonym of the study.
        patient_id: Pseudonym of the patient; cases of one patient share it.
        channels: Names of the channels, in the order of the volume's first axis.
        volume: The images.
        reference_mask: The outlines as labels, None when the study has none.
        attributes: What may be known of the study without identifying anybody (scanner maker, sex, ...).

    Raises:
        InputError: `invalid_array` when channels and volume differ in number; `geometry_mismatch` when the mask lies
            on another grid.

    Examples:
        >>> import numpy as np
        >>> from lesionflow.data.geometry import Geometry
        >>> grid = Geometry.from_parts((2, 3, 4), (3.0, 0.8, 0.5))
        >>> case = Case("c-1", "p-1", ("CT", "PET"), Volume(np.zeros((2, 2, 3, 4)), grid))
        >>> case.reference_mask is None
        True
        >>> Case("c-1", "p-1", ("CT",), case.volume)
        Traceback (most recent call last):
        lesionflow.errors.InputError: Case c-1: expected 1 channels, found 2.
    """

    case_id: str
    patient_id: str
    channels: tuple[str, ...]
    volume: Volume
    reference_mask: Mask | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.channels) != self.volume.n_channels:
            message = f"Case {self.case_id}: expected {len(self.channels)} channels, found {self.volume.n_channels}."
            raise InputError(message, reason="invalid_array")
        if self.reference_mask is not None:
            require_same_grid(
                self.volume.geometry, self.reference_mask.geometry, f"Image and mask of case {self.case_id}"
            )
