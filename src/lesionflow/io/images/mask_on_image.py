"""A mask's file brought to the grid of the image that it was drawn on, or refused: never by its indices alone."""

from collections.abc import Sequence
from pathlib import Path

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.io.images import image_files, nifti
from lesionflow.io.images.placement import put_on
from lesionflow.io.notes import note


def read_mask_on(path: Path, reference: Geometry, labels: Sequence[int], *, image: Path | None, name: str) -> Mask:
    """Read a label file as a mask on the grid of its image.

    Args:
        path: A file of `files.ENDINGS`.
        reference: Grid of the image.
        labels: The values that are labels, as `files.read_mask`.
        image: The image's file, whose header may give its voxels a second place.
        name: What to call the case in messages.

    Returns:
        The mask in the values found, on `reference`.

    Raises:
        GeometryMismatchError: When the mask's voxels are not those of the image.
        InputError: All reasons of `files.read_mask`.
    """
    mask = image_files.read_mask(path, labels, name=name)
    if mask.geometry.same_grid(reference):
        return Mask(mask.labels, reference)
    if _agree_by_another_form(path, image, mask.geometry, name):
        note(
            "mask_by_other_form",
            f"Image and mask of {name} lie on one grid by the qform of one of them, whose sform says another place. They were "
            "taken for one grid.",
        )
        return Mask(mask.labels, reference)
    return put_on(mask, reference, name=name)


def _agree_by_another_form(mask_path: Path, image_path: Path | None, found: Geometry, name: str) -> bool:
    if image_path is None or image_files.ending(image_path) not in image_files.NIFTI_ENDINGS:
        return False
    masks = [found]
    if image_files.ending(mask_path) in image_files.NIFTI_ENDINGS:
        masks = list(nifti.read_forms(mask_path, name=name))
    images = nifti.read_forms(image_path, name=name)
    return any(one.same_grid(other) for one in images for other in masks)
