"""How near MONAI's answer is to ours: both are asked about one study, MONAI by its own workflow and our configuration alone."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.bundle import Bundle
from lesionflow.data.geometry import Geometry
from lesionflow.data.plan import ChannelPlan, Plan
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import ArtifactError
from lesionflow.inference.backends import PYTORCH
from lesionflow.inference.monai_bundle.configs import IMAGE, MASK_ENDING, PREDICTION
from lesionflow.inference.segmenter import Segmenter
from lesionflow.io.images import nifti
from lesionflow.preprocessing import to_source_space

#: Of a study made for this purpose: voxels that may have another label, as a share of all, how far Dice between both masks may be from 1, and how far
#: probabilities may be apart. Networks of random weights agreed to 1e-5, resampled and oblique studies too.
MOST_OTHER_FRACTION, MOST_DICE_LOSS, MOST_DIFFERENCE = 1e-3, 0.01, 1e-3
#: Voxels of air around the body of that study, and how much brighter its ball is than the noise.
AIR_VOXELS, CONTRAST_STD = 3, 2.5
#: Patches along an axis: the windows of both lie alike, as in the plain case.
PATCHES = 1.5
#: Rows and columns of that study for a 2D network, and slices.
SIDES_2D = (6, 64, 64)
SLICE_MM = 3.0
AIR_HU = -1000.0


class MaskParity(NamedTuple):
    """How far MONAI's mask is from ours.

    Args:
        n_voxels: Of the study.
        n_other_voxels: Those with another label.
        dice: Between what either calls any label; 1 where both find nothing.
        n_found: Voxels with a label in ours.
        max_difference: The largest difference of a probability on the study's own grid.
    """

    n_voxels: int
    n_other_voxels: int
    dice: float
    n_found: int
    max_difference: float

    @property
    def holds(self) -> bool:
        """Whether both masks may pass for one."""
        alike = self.n_other_voxels <= MOST_OTHER_FRACTION * self.n_voxels
        return alike and self.dice >= 1.0 - MOST_DICE_LOSS and self.max_difference <= MOST_DIFFERENCE

    @property
    def in_words(self) -> str:
        """The figures in a sentence."""
        return (
            f"Dice {self.dice:.4f} between both masks, {self.n_other_voxels} of {self.n_voxels} voxels with another label ({self.n_found} found), "
            f"probabilities at most {self.max_difference:.3g} apart"
        )


def measure_parity(bundle: Bundle, folder: Path, files: Mapping[str, Path]) -> MaskParity:
    """Ask MONAI and ourselves about a study.

    Args:
        bundle: The model.
        folder: The bundle of MONAI.
        files: One NIfTI file a channel, all on one grid.

    Returns:
        How far the answers are apart.

    Raises:
        InputError: When the study can't be read or segmented.
        ArtifactError: When MONAI writes no mask.
    """
    volumes = [nifti.read_volume(files[channel.name], name="the study") for channel in bundle.plan.channels]
    volume = Volume(np.concatenate([one.array for one in volumes]), volumes[0].geometry)
    # Without what only tells of inputs.
    bare = replace(bundle, calibration=bundle.calibration and bundle.calibration.model_copy(update={"profile": None}))
    ours = Segmenter(bare, device="cpu", backend=PYTORCH).segment(volume, case_id="the study")
    expected = to_source_space(ours.answer.probabilities, ours.answer.way_back)
    with tempfile.TemporaryDirectory() as scratch:
        mask, probabilities = _ask_monai(folder, files, Path(scratch))
    off = np.nan_to_num(np.abs(expected - probabilities), nan=np.inf)
    return _compare(ours.mask, mask, float(off.max()))


def write_plain_study(plan: Plan, folder: Path) -> dict[str, Path]:
    """Write a study that needs no resampling: smooth noise with a bright ball and air around it, of nobody.

    Args:
        plan: Of the bundle.
        folder: Where the files shall lie.

    Returns:
        The NIfTI file of each channel.
    """
    sides = SIDES_2D if plan.dimensions == 2 else tuple(int(PATCHES * size) for size in plan.patch_size)
    slices, rows, columns = (step or SLICE_MM for step in plan.spacing_mm)
    rng = np.random.default_rng(0)
    files = {}
    grid = np.meshgrid(*(np.arange(side) - (side - 1) / 2 for side in sides), indexing="ij")
    ball = sum((axis * step) ** 2 for axis, step in zip(grid, (slices, rows, columns), strict=True))
    radius = min(side * step for side, step in zip(sides, (slices, rows, columns), strict=True)) / 4
    shape = tuple(side + 2 * AIR_VOXELS for side in sides)
    geometry = Geometry.from_parts((shape[0], shape[1], shape[2]), (slices, rows, columns), (-31.0, 17.0, -90.0))
    for channel in plan.channels:
        noise = ndimage.gaussian_filter(rng.normal(size=sides), 2.0, mode="wrap")
        values = (noise - noise.mean()) / noise.std() + np.where(ball <= radius**2, CONTRAST_STD, 0.0)
        files[channel.name] = folder / f"{channel.name}.nii.gz"
        nifti.write_volume(files[channel.name], Volume(_in_air(values, channel)[None], geometry))
    return files


def _in_air(values: NDArray[np.float64], channel: ChannelPlan) -> NDArray[np.float32]:
    """Turn deviations into intensities of the channel, with air around them."""
    if channel.mean is not None and channel.std is not None:
        lower = max(channel.lower if channel.lower is not None else -np.inf, 1.0 if channel.kind != "ct" else -499.0)
        body = np.clip(channel.mean + channel.std * values, lower, channel.upper)
    else:
        body = np.clip(300.0 + 60.0 * values, 1.0, None)
    air = AIR_HU if channel.kind == "ct" else 0.0
    return np.pad(body, AIR_VOXELS, constant_values=air).astype(np.float32)


def _ask_monai(folder: Path, files: Mapping[str, Path], scratch: Path) -> tuple[Mask, NDArray[np.float32]]:
    """Return the mask that MONAI's workflow writes, and probabilities (target, slice, row, column) on the study's own grid."""
    from monai.bundle import ConfigWorkflow

    several = len(files) > 1
    images = scratch / "images" / ("study" if several else "")
    images.mkdir(parents=True)
    for name, path in files.items():
        (images / f"{name if several else 'study'}.nii.gz").symlink_to(path.resolve())
    with _silence(), torch.no_grad():
        workflow = ConfigWorkflow(
            config_file=str(folder / "configs" / "inference.json"),
            meta_file=str(folder / "configs" / "metadata.json"),
            logging_file=False,
            workflow_type="inference",
            bundle_root=str(folder),
            dataset_dir=str(scratch / "images"),
            output_dir=str(scratch / "masks"),
            device="$torch.device('cpu')",
        )
        workflow.initialize()
        workflow.run()
        (study,) = workflow.dataset
        predict: Any = workflow.parser.get_parsed_content("predict")
        restored = workflow.parser.get_parsed_content("restoring")({**study, PREDICTION: predict(study[IMAGE])})
        workflow.finalize()
    written = sorted((scratch / "masks").rglob(f"*{MASK_ENDING}"))
    if len(written) != 1:
        raise ArtifactError(f"Expected one mask of MONAI's workflow, found {len(written)}.")
    mask = nifti.read_mask(written[0], name="the study")
    # MONAI's axes are those of the file; ours are read from it backwards.
    return mask, np.asarray(restored[PREDICTION].cpu().numpy(), dtype=np.float32).transpose(0, 3, 2, 1)


@contextmanager
def _silence() -> Iterator[None]:
    """Hold back what MONAI says of readers that are not installed and of a logging file that is not wanted."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _compare(ours: Mask, theirs: Mask, max_difference: float) -> MaskParity:
    one, other = ours.labels, theirs.labels
    both, found = int(((one > 0) & (other > 0)).sum()), int((one > 0).sum())
    total = found + int((other > 0).sum())
    dice = 2 * both / total if total else 1.0
    return MaskParity(one.size, int((one != other).sum()), dice, found, max_difference)
