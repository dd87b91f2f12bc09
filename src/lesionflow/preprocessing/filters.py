"""Optional filters of the plan: denoising and bias field correction."""

from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.geometry import SpacingMm
from lesionflow.errors import ConfigError

Denoising = Literal["none", "median", "curvature"]
#: Steps of curvature flow: few, so that edges of small tumors stay.
CURVATURE_STEPS = 5
#: The bias field is smooth: it is fitted on every fourth voxel.
N4_SHRINK = 4


def require_filters(denoising: Denoising, *, bias_field_correction: bool) -> None:
    """Refuse a plan whose filters are SimpleITK's where that is not installed, before any study comes.

    Args:
        denoising: The plan's.
        bias_field_correction: The plan's.

    Raises:
        ConfigError: When it is not.
    """
    if (denoising == "curvature" or bias_field_correction) and find_spec("SimpleITK") is None:
        asked = "curvature flow" if denoising == "curvature" else "N4"
        raise ConfigError(
            f"Expected SimpleITK for {asked} of this model's plan, found that it is not installed; the image that only serves goes without "
            "its 270 MB. Install it there (a layer of one `pip install SimpleITK` at the version of requirements.lock)."
        )


def denoise(channel: NDArray[np.float32], method: Denoising, spacing_mm: SpacingMm) -> NDArray[np.float32]:
    """Take noise from one channel.

    Args:
        channel: (slice, row, column).
        method: `median` over 3 x 3 in plane; `curvature`, anisotropic diffusion in mm (Perona and Malik 1990, DOI
            10.1109/34.56205, in the curvature form of Whitaker and Xue 2001, DOI 10.1109/ICIP.2001.958547).
        spacing_mm: (slice, row, column) spacing.

    Returns:
        An array of the same shape.
    """
    if method == "none":
        return channel
    if method == "median":
        return np.asarray(ndimage.median_filter(channel, size=(1, 3, 3)), dtype=np.float32)
    import SimpleITK as sitk

    image = _image(channel, spacing_mm)
    # The largest stable step of the scheme is spacing / 2 ** (dimensions + 1).
    step = min(spacing_mm) / 2**4
    smoothed = sitk.CurvatureAnisotropicDiffusion(image, timeStep=step, numberOfIterations=CURVATURE_STEPS)
    return np.asarray(sitk.GetArrayFromImage(smoothed), dtype=np.float32)


def correct_bias_field(channel: NDArray[np.float32], spacing_mm: SpacingMm) -> NDArray[np.float32]:
    """Take the bias field from one MR channel by N4 (Tustison et al. 2010, DOI 10.1109/TMI.2010.2046908).

    Args:
        channel: (slice, row, column); background is 0.
        spacing_mm: (slice, row, column) spacing.

    Returns:
        An array of the same shape; background stays 0.
    """
    import SimpleITK as sitk

    image = _image(channel, spacing_mm)
    inside = sitk.Cast(image != 0, sitk.sitkUInt8)
    factors = [min(N4_SHRINK, n) for n in image.GetSize()]
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.Execute(sitk.Shrink(image, factors), sitk.Shrink(inside, factors))
    field = sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image))
    return np.asarray(channel / np.exp(field), dtype=np.float32)


def _image(channel: NDArray[np.float32], spacing_mm: SpacingMm) -> Any:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(channel))
    image.SetSpacing(tuple(reversed(spacing_mm)))
    return image
