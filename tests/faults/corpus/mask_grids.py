"""Masks beside their image: on the same voxels in other words, on a part of them, or somewhere else."""

import nibabel as nib
import numpy as np

from faults.corpus.fault import Fault, Right
from faults.corpus.made_volumes import AFFINE, HU, MARKED, READ, image, mask, nifti, noted, refused

#: x stored the other way round: column 5 is its first.
TURNED = AFFINE @ np.array([[-1.0, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
#: From column 1, row 1, slice 1 on.
PART = AFFINE.copy()
PART[:3, 3] += [2, 3, 4]
#: Two voxels more on every side.
AROUND = AFFINE.copy()
AROUND[:3, 3] -= [4, 6, 8]
NO_ORIGIN = np.diag([2.0, 3.0, 4.0, 1.0])
#: The same places, counted from the last column.
FROM_THE_END = np.diag([-2.0, 3.0, 4.0, 1.0])
FROM_THE_END[0, 3] = 10


def _moved(by: float) -> np.ndarray:
    affine = AFFINE.copy()
    affine[:3, 3] += by
    return affine


def _rounded() -> np.ndarray:
    """Return the affine as a program writes it that computes cosines in 32 bits."""
    affine = AFFINE.copy()
    affine[:2, :2] += np.array([[0, 2e-7], [-3e-7, 0]])
    return affine


def _float_mask(odd: float) -> nib.Nifti1Image:
    voxels = MARKED.astype(np.float32)
    voxels[0, 0, 0] = odd
    return image(voxels)


FAULTS = (
    Fault(
        "mask-stored-the-other-way-round",
        "torchio#1300",
        "Image and label of one data set run in opposite directions; laid on one another by index they were mirrored.",
        "The mask is turned to its image by its own header, and said (`mask_reordered`).",
        nifti(marked=mask(MARKED[::-1], TURNED)),
        noted("mask_reordered"),
    ),
    Fault(
        "mask-with-its-axes-in-another-order",
        "nnUNet#850",
        "Planning warned of axes in another order, and users were told that they may go on.",
        "The mask is turned to its image by its own header, and said (`mask_reordered`).",
        nifti(marked=mask(MARKED.transpose(2, 0, 1), AFFINE[:, [2, 0, 1, 3]])),
        noted("mask_reordered"),
    ),
    Fault(
        "mask-cropped-to-what-is-drawn",
        "Slicer#5323",
        "A segmentation was saved smaller than its image; loaded by index it lay in the corner.",
        "Put where its header says, background around it, and said (`mask_of_a_part`).",
        nifti(marked=mask(MARKED[1:4, 1:5, 1:4], PART)),
        noted("mask_of_a_part"),
    ),
    Fault(
        "mask-padded-beyond-its-image",
        "",
        "A mask was padded on all sides, as training code does; its first voxel is none of the image's.",
        "What lies beyond the image is empty: it is cut off, and said (`mask_beyond_image`).",
        nifti(marked=mask(np.pad(MARKED, 2), AROUND)),
        noted("mask_beyond_image"),
    ),
    Fault(
        "mask-with-labels-beyond-its-image",
        "",
        "The image was cut after it was outlined: a part of the outline lies beyond it.",
        "Refused: `geometry_mismatch`.",
        nifti(marked=mask(np.pad(MARKED, 2, constant_values=1), AROUND)),
        refused("geometry_mismatch"),
    ),
    Fault(
        "half-size-mask-with-its-images-header",
        "",
        "A mask was resized and saved with the header of its image: it lies in the corner.",
        "Refused: `geometry_mismatch`.",
        nifti(marked=mask(MARKED[::2, ::2, ::2])),
        refused("geometry_mismatch"),
    ),
    Fault(
        "part-of-an-image-whose-origin-is-0",
        "",
        "Image and mask have no origin, the mask is smaller: nothing says which part it is.",
        "Refused: `geometry_mismatch`.",
        nifti(image(affine=NO_ORIGIN), mask(MARKED[:5], NO_ORIGIN)),
        refused("geometry_mismatch"),
    ),
    Fault(
        "turned-mask-whose-origin-is-0",
        "",
        "A mask was turned to the axes of the patient, and its first voxel now lies at 0, as in a file that lost its place.",
        "Its voxels are the image's, each once: turned, and said (`mask_reordered`).",
        nifti(image(affine=FROM_THE_END), mask(MARKED[::-1], NO_ORIGIN)),
        Right(voxels={"tumor": 8}, centroid_mm=(-7.0, -7.5, 6.0), n_cases=1, rejected=(), notes=("mask_reordered",)),
    ),
    Fault(
        "mask-that-lost-its-place",
        "nnUNet#2751",
        "The mask was saved without the image's header, its origin at 0: a warning, and training went on.",
        "Refused: `geometry_mismatch`.",
        nifti(marked=mask(affine=np.diag([2.0, 3.0, 4.0, 1.0]))),
        refused("geometry_mismatch"),
    ),
    Fault(
        "mask-mirrored-by-its-header",
        "TotalSegmentator#31",
        "Image and mask had the same numbers and opposite signs: right by index, or right by place?",
        "Refused: `geometry_mismatch`.",
        nifti(marked=mask(affine=AFFINE * [[-1], [1], [1], [1]])),
        refused("geometry_mismatch"),
    ),
    Fault(
        "mask-of-another-scanners-grid",
        "nnUNet#1267",
        "Labels drawn on the CT were put beside the PET, whose voxels are three times as large.",
        "Refused: `geometry_mismatch`.",
        nifti(marked=mask(MARKED[::2, ::2], AFFINE @ np.diag([2.0, 2.0, 1.0, 1.0]))),
        refused("geometry_mismatch"),
    ),
    Fault(
        "mask-of-another-spacing",
        "nnUNet#2333",
        "As many voxels as the image, of another size: indices agree, places don't.",
        "Refused: `geometry_mismatch`.",
        nifti(marked=mask(affine=AFFINE @ np.diag([1.0, 1.0, 1.25, 1.0]))),
        refused("geometry_mismatch"),
    ),
    Fault(
        "mask-half-a-voxel-aside",
        "ohif-viewer-XNAT-plugin#18",
        "One program begins at a voxel's corner, another at its middle.",
        "Refused: `geometry_mismatch`.",
        nifti(marked=mask(affine=_moved(1.0))),
        refused("geometry_mismatch"),
    ),
    Fault(
        "mask-off-by-rounding-alone",
        "nnUNet#1287",
        "Positions that differ in the tenth digit stopped planning.",
        "Read: a hundredth of a voxel is no distance.",
        nifti(marked=mask(affine=_moved(1e-4))),
        READ,
    ),
    Fault(
        "mask-with-cosines-of-32-bits",
        "nnUNet#1287",
        "Directions that differ by 1e-8 were said not to match.",
        "Read.",
        nifti(marked=mask(affine=_rounded())),
        READ,
    ),
    Fault(
        "mask-with-a-voxel-that-is-no-number",
        "",
        "NaN, written as a whole number, became a label.",
        "Refused: `not_labels`.",
        nifti(marked=_float_mask(float("nan"))),
        refused("not_labels"),
    ),
    Fault(
        "mask-of-probabilities",
        "nnUNet#1183",
        "Masks were scaled on their way: 10.92 where 1 was meant.",
        "Refused: `not_labels`.",
        nifti(marked=_float_mask(10.921457)),
        refused("not_labels"),
    ),
    Fault(
        "mask-with-a-label-below-0",
        "nnUNet#1007",
        "An image lay where its labels should: values from -1024 on.",
        "Refused: `not_labels`.",
        nifti(marked=image(-MARKED.astype(np.int16))),
        refused("not_labels"),
    ),
    Fault(
        "mask-beyond-a-byte",
        "",
        "Label 257, kept in a byte, was label 1.",
        "Refused: `not_labels`.",
        nifti(marked=image(MARKED.astype(np.int16) * 257)),
        refused("not_labels"),
    ),
    Fault(
        "mask-of-0-and-255",
        "nnUNet#1777",
        "A mask drawn in black and white: 255 where 1 was declared stopped planning.",
        "255 is what many programs write for the only label.",
        nifti(marked=mask(MARKED * 255)),
        READ,
    ),
    Fault(
        "mask-in-64-bits",
        "NIfTI.jl#61",
        "Some programs do not open whole numbers of 64 bits.",
        "Read.",
        nifti(
            nib.Nifti1Image(HU.astype(np.int64), AFFINE, dtype=np.int64),
            nib.Nifti1Image(MARKED.astype(np.int64), AFFINE, dtype=np.int64),
        ),
        READ,
    ),
    Fault(
        "mask-of-nothing",
        "",
        "A case without tumor stopped training, or was left out without a word.",
        "Read: that nothing is there is an answer.",
        nifti(marked=mask(np.zeros_like(MARKED))),
        Right(voxels={"tumor": 0}, n_cases=1, rejected=()),
    ),
    Fault(
        "mask-of-everything",
        "",
        "With no background left, sampling of patches failed.",
        "Read.",
        nifti(marked=mask(np.ones_like(MARKED))),
        Right(voxels={"tumor": 120}, n_cases=1, rejected=()),
    ),
    Fault(
        "mask-of-a-label-that-nobody-declared",
        "nnUNet#2500",
        "Values 2 to 5 where 1 to 4 were declared.",
        "Refused: `unknown_label`.",
        nifti(marked=mask(MARKED * 7)),
        refused("unknown_label"),
    ),
)
