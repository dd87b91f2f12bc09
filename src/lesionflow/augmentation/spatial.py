"""Changes of shape: flips, and one warp for rotation, scale and elastic deformation.

Arrays are (row, column, plane): planes are all slices of all channels, so every slice of a patch moves alike.
"""

from typing import Any

import albumentations
import cv2
import numpy as np
from albumentations.core.type_definitions import Targets
from numpy.typing import NDArray

#: Bound of the border rule: what lies beyond the patch is its mirror image, in the image and in the mask alike.
BORDER = cv2.BORDER_REFLECT_101


class FlipSlices(albumentations.DualTransform):
    """Reverse the order of slices within each channel, and within each target when the mask has slices too.

    Args:
        n_image_slices: Slices a channel in the image's planes, channel by channel.
        n_mask_slices: Slices a target in the mask's planes.
        p: How likely a sample is changed.
    """

    _targets = (Targets.IMAGE, Targets.MASK)

    def __init__(self, n_image_slices: int, n_mask_slices: int, p: float) -> None:
        super().__init__(p=p)
        self.n_image_slices = n_image_slices
        self.n_mask_slices = n_mask_slices

    def apply(self, img: NDArray[np.float32], **_: Any) -> NDArray[np.float32]:
        """Reverse the image's slices."""
        return _reverse_slices(img, self.n_image_slices)

    def apply_to_mask(self, mask: NDArray[np.uint8], **_: Any) -> NDArray[np.uint8]:
        """Reverse the mask's slices."""
        return _reverse_slices(mask, self.n_mask_slices)


class Warp(albumentations.DualTransform):
    """Rotate, scale and deform in millimeters, with one interpolation.

    Args:
        spacing_mm: (row, column) distance of pixel centers: a circle of tissue stays a circle on oblong pixels.
        rotation_degrees: Largest rotation either way.
        scale_fraction: Sizes are multiplied by a factor between 1 / (1 + f) and 1 + f.
        affine_probability: How likely a sample is rotated and scaled.
        elastic_amplitude_mm: Largest displacement along an axis.
        elastic_scale_mm: Distance of the control points between which the displacement varies smoothly.
        elastic_probability: How likely a sample is deformed.
    """

    _targets = (Targets.IMAGE, Targets.MASK)

    def __init__(
        self,
        *,
        spacing_mm: tuple[float, float],
        rotation_degrees: float,
        scale_fraction: float,
        affine_probability: float,
        elastic_amplitude_mm: float,
        elastic_scale_mm: float,
        elastic_probability: float,
    ) -> None:
        super().__init__(p=1.0)
        self.spacing_mm = spacing_mm
        self.rotation_degrees = rotation_degrees
        self.scale_fraction = scale_fraction
        self.affine_probability = affine_probability
        self.elastic_amplitude_mm = elastic_amplitude_mm
        self.elastic_scale_mm = elastic_scale_mm
        self.elastic_probability = elastic_probability

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Draw the map from each pixel of the result to where it is read, None when nothing moves."""
        rng, shape = self.random_generator, params["shape"][:2]
        matrix = elastic = None
        if rng.random() < self.affine_probability:
            angle = np.deg2rad(rng.uniform(-self.rotation_degrees, self.rotation_degrees))
            limit = np.log1p(self.scale_fraction)
            matrix = in_plane_affine_mm(angle, float(np.exp(rng.uniform(-limit, limit))))
        if rng.random() < self.elastic_probability:
            elastic = in_plane_displacement_mm(
                shape, self.spacing_mm, self.elastic_amplitude_mm, self.elastic_scale_mm, rng
            )
        if matrix is None and elastic is None:
            return {"source": None}
        return {"source": source_pixels(shape, self.spacing_mm, matrix, elastic)}

    def apply(self, img: NDArray[np.float32], source: NDArray[np.float32] | None, **_: Any) -> NDArray[np.float32]:
        """Warp the image, linearly interpolated."""
        return img if source is None else _remap(img, source)

    def apply_to_mask(self, mask: NDArray[np.uint8], source: NDArray[np.float32] | None, **_: Any) -> NDArray[np.uint8]:
        """Warp each plane of a 0/1 mask linearly; a pixel belongs when at least half of it does."""
        return mask if source is None else (_remap(mask * np.uint8(255), source) > 127).astype(np.uint8)


def in_plane_affine_mm(angle: float, scale: float) -> NDArray[np.float64]:
    """Return the 2 x 2 matrix from a (row, column) offset in mm in the result to the one it is read at.

    Args:
        angle: Radians by which the content turns from the row axis towards the column axis.
        scale: Factor by which the content grows, > 0.

    Returns:
        The inverse of scale x rotation.
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, sine], [-sine, cosine]]) / scale


def in_plane_displacement_mm(
    shape: tuple[int, int],
    spacing_mm: tuple[float, float],
    amplitude_mm: float,
    scale_mm: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Draw a smooth random displacement field: uniform noise on control points, cubically interpolated.

    Args:
        shape: (row, column) pixels.
        spacing_mm: (row, column) spacing.
        amplitude_mm: Largest displacement of a control point along an axis.
        scale_mm: Distance of the control points.
        rng: Source of randomness.

    Returns:
        Float32 (row, column, 2) displacement in mm along (row, column).
    """
    n_points = [max(4, int(np.ceil(n * s / scale_mm)) + 1) for n, s in zip(shape, spacing_mm, strict=True)]
    points = rng.uniform(-1.0, 1.0, (*n_points, 2)).astype(np.float32) * np.float32(rng.uniform(0.0, amplitude_mm))
    return np.asarray(cv2.resize(points, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def source_pixels(
    shape: tuple[int, int],
    spacing_mm: tuple[float, float],
    matrix: NDArray[np.float64] | None,
    elastic: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    """Say for each pixel of the result where in the patch it is read.

    Args:
        shape: (row, column) pixels.
        spacing_mm: (row, column) spacing.
        matrix: 2 x 2, see `in_plane_affine_mm`; None does nothing.
        elastic: Displacement in mm (row, column, 2); None does nothing.

    Returns:
        Float32 (row, column, 2): fractional (row, column) index.
    """
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    center = (np.asarray(shape) - 1) / 2
    index: NDArray[Any] = np.moveaxis(np.indices(shape, dtype=np.float32), 0, -1)
    if matrix is not None:
        # offset in pixels -> mm -> turned and scaled -> pixels
        in_pixels = matrix * spacing / spacing[:, None]
        index = (index - center) @ in_pixels.T + center
    if elastic is not None:
        index = index + elastic / spacing
    return index.astype(np.float32)


def _remap(planes: NDArray[Any], source: NDArray[np.float32]) -> NDArray[Any]:
    columns, rows = np.ascontiguousarray(source[..., 1]), np.ascontiguousarray(source[..., 0])
    warped = cv2.remap(planes, columns, rows, cv2.INTER_LINEAR, borderMode=BORDER)
    return np.asarray(warped).reshape(planes.shape)


def _reverse_slices(planes: NDArray[Any], n_slices: int) -> NDArray[Any]:
    rows, columns, n_planes = planes.shape
    grouped = planes.reshape(rows, columns, n_planes // n_slices, n_slices)
    return np.ascontiguousarray(grouped[..., ::-1].reshape(planes.shape))
