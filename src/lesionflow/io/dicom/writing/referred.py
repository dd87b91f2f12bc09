"""The series that what is written of a mask refers to: read once, for every format."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, require_same_grid
from lesionflow.io.dicom.relations.seg_sources import as_sources
from lesionflow.io.dicom.series import read_headers


@dataclass(frozen=True, eq=False)
class ReferredSeries:
    """What a segmentation, structure set or report repeats and names of its images.

    Args:
        geometry: Of the volume that `read_series` makes of them.
        images: A data set an image, as `as_sources` makes them.
        patient_name: As it should stand in what is written.
        frame_of_reference: Its UID.
    """

    geometry: Geometry
    images: tuple[Any, ...]
    patient_name: str
    frame_of_reference: str

    def sources(self) -> list[Any]:
        """Return the images for one object to be made of: it takes elements of the first as they are, and changes some."""
        first, *others = self.images
        return [deepcopy(first), *others]

    def require_grid_of(self, mask: Mask, name: str) -> None:
        """Refuse a mask that does not lie on the grid of the images.

        Raises:
            GeometryMismatchError: When it does not.
        """
        require_same_grid(self.geometry, mask.geometry, f"Mask and series of {name}")


def read_referred(files: tuple[str, ...], *, name: str) -> ReferredSeries:
    """Read the headers of a series.

    Args:
        files: Its files, in slice order.
        name: What to call the study in messages.

    Raises:
        DicomError: When they can't be read, or lack what a segmentation must name.
    """
    series = read_headers(files, name=name)
    sources, patient_name = as_sources(series.data, series.geometry.spacing_mm[0], name=name)
    return ReferredSeries(series.geometry, tuple(sources), patient_name, series.frame_of_reference)
