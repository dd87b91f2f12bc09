"""Golden cases: small inputs that a bundle carries with the answers it gave, asked again wherever it is to run."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.bundle import Bundle, GoldenCase
from lesionflow.data.plan import Plan
from lesionflow.errors import ArtifactError
from lesionflow.inference.backends import PYTORCH
from lesionflow.inference.lesion_probabilities import raw_threshold
from lesionflow.inference.segmenter import Segmenter

N_CASES = 2
#: Voxels along slices, rows and columns: some kilobytes a case.
SIDES_2D, SIDES_3D = (3, 32, 32), (8, 24, 24)
#: Of the noise, in voxels; of the ball, which is as much brighter than it as tumors may be.
SMOOTHING_VOXELS, CONTRAST_STD = 2.0, 2.5
#: How far a probability may be from the recorded one. Backends and processors agree to 1e-4, bfloat16 to some 1e-2, and half precision
#: stores to 5e-4; networks of other weights differ by much more.
MOST_DIFFERENCE = 0.02


class GoldenResult(NamedTuple):
    """How far answers are from those that a bundle carries.

    Args:
        n_cases: Cases asked.
        max_difference: The largest difference of a probability.
        n_other_voxels: Voxels that are in one mask alone, though the recorded probability is not within `MOST_DIFFERENCE` of the threshold.
    """

    n_cases: int
    max_difference: float
    n_other_voxels: int

    @property
    def holds(self) -> bool:
        """Whether the network answers as it did where it was made."""
        return self.max_difference <= MOST_DIFFERENCE and self.n_other_voxels == 0


def make_golden(bundle: Bundle) -> tuple[GoldenCase, ...]:
    """Ask a network about inputs that are made by chance, none of a patient, and keep what it says.

    Args:
        bundle: With its calibration, whose rules say from which probability on a voxel is in a mask. PyTorch runs it, on the CPU.

    Returns:
        The cases; the same for the same bundle.
    """
    segmenter = Segmenter(bundle, device="cpu", backend=PYTORCH)
    images = [_make_image(bundle.plan, seed) for seed in range(N_CASES)]
    return tuple(_ask(segmenter, image) for image in images)


def check_golden(segmenter: Segmenter, cases: Sequence[GoldenCase]) -> GoldenResult:
    """Ask a network again, wherever it runs now.

    Args:
        segmenter: The model on this machine, by the backend that is to be judged.
        cases: Of its bundle; none hold always.

    Returns:
        How far its answers are from the recorded ones.
    """
    if not cases:
        return GoldenResult(0, 0.0, 0)
    threshold = raw_threshold(segmenter.rules, segmenter.temperature)
    difference, others = 0.0, 0
    for case in cases:
        found = _ask(segmenter, case.image)
        # Where the network gives no number at all, nothing is near.
        off = np.nan_to_num(np.abs(found.probabilities.astype(float) - case.probabilities), nan=np.inf)
        clear = np.abs(case.probabilities.astype(float) - threshold) > MOST_DIFFERENCE
        difference, others = (
            max(difference, float(off.max())),
            others + int(((found.masks != case.masks) & clear).sum()),
        )
    return GoldenResult(len(cases), difference, others)


def require_golden(segmenter: Segmenter, bundle: Bundle, name: str) -> GoldenResult:
    """Refuse a model that answers otherwise here than where it was made.

    Args:
        segmenter: The model on this machine.
        bundle: What it was loaded from.
        name: What to call it.

    Returns:
        How far its answers are from the recorded ones.

    Raises:
        ArtifactError: When they are too far.
    """
    found = check_golden(segmenter, bundle.golden)
    if not found.holds:
        raise ArtifactError(
            f"Expected {name} to answer its {found.n_cases} golden cases as where it was made, to {MOST_DIFFERENCE} of a probability, found "
            f"{found.max_difference:.3g} by {segmenter.backend} on {segmenter.device.type}, and {found.n_other_voxels} voxels in another mask. "
            "Try another device or backend, and tell who made it."
        )
    return found


def _ask(segmenter: Segmenter, image: NDArray[np.float16]) -> GoldenCase:
    probabilities = segmenter.ask_model_space(image.astype(np.float32))
    masks = probabilities >= raw_threshold(segmenter.rules, segmenter.temperature)
    return GoldenCase(image, probabilities.astype(np.float16), masks)


def _make_image(plan: Plan, seed: int) -> NDArray[np.float16]:
    """Return smooth noise of model space's mean and deviation; every other time with a bright ball in it."""
    rng = np.random.default_rng(seed)
    sides = (plan.context_slices, *SIDES_2D[1:]) if plan.dimensions == 2 else SIDES_3D
    noise = rng.normal(size=(len(plan.channels), *sides))
    smooth = np.stack([ndimage.gaussian_filter(channel, SMOOTHING_VOXELS, mode="wrap") for channel in noise])
    image = (smooth - smooth.mean()) / smooth.std()
    if seed % 2:
        grid = np.meshgrid(*(np.arange(side) - (side - 1) / 2 for side in sides), indexing="ij")
        image[:, sum(axis**2 for axis in grid) <= (min(sides[1:]) / 4) ** 2] += CONTRAST_STD
    return image.astype(np.float16)
