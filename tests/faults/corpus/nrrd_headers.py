"""What NRRD and MetaImage headers say of their voxels."""

from pathlib import Path

import nibabel as nib
import numpy as np

from faults.corpus.fault import Fault, Sent
from faults.corpus.made_volumes import AT, HU, MARKED, READ, mask, mha, nrrd, refused, write_nrrd

NRRD = Sent({"CT": "case1.nrrd"}, shape=(4, 5, 6), value_at=AT)
MHA = Sent({"CT": "case1.mha"}, shape=(4, 5, 6), value_at=AT)


def _no_nrrd(*reasons: str) -> Sent:
    return Sent({"CT": "case1.nrrd"}, refused=reasons)


def _image_nrrd_mask_nifti(folder: Path) -> None:
    write_nrrd(folder / "case1.nrrd", HU)
    nib.save(mask(), folder / "case1_seg.nii.gz")


def _stored_as_z_x_y(folder: Path) -> None:
    """Directions are told axis by axis: slices first, then columns, then rows."""
    head = {"space directions": "(0,0,4) (-2,0,0) (0,-3,0)"}
    write_nrrd(folder / "case1.nrrd", HU.transpose(2, 0, 1), head)
    write_nrrd(folder / "case1_seg.nrrd", MARKED.transpose(2, 0, 1), head)


def _turned_by_a_word(folder: Path) -> None:
    mha(AnatomicalOrientation="LPI")(folder)
    for path in folder.glob("*.mha"):
        path.write_bytes(path.read_bytes().replace(b"TransformMatrix = -1 0 0 0 -1 0 0 0 1\n", b""))


FAULTS = (
    Fault(
        "nrrd-in-lps",
        "MONAI#3356",
        "The array came out with its axes the other way round than the affine beside it.",
        "Read: array and places belong together.",
        nrrd(),
        READ,
        NRRD,
    ),
    Fault(
        "nrrd-in-ras",
        "BodyPartRegression#12",
        "RAS was taken for LPS: left and right, front and back changed places.",
        "Read by the space that the header names.",
        nrrd(
            {
                "space": "right-anterior-superior",
                "space directions": "(2,0,0) (0,3,0) (0,0,4)",
                "space origin": "(10,20,30)",
            }
        ),
        READ,
        NRRD,
    ),
    Fault(
        "nrrd-with-axes-in-another-order",
        "MONAI#7371",
        "Directions that are no diagonal were laid on the wrong axes.",
        "Read by the direction of each axis.",
        _stored_as_z_x_y,
        READ,
        Sent({"CT": "case1.nrrd"}, shape=(5, 6, 4), value_at=AT),
    ),
    Fault(
        "nrrd-beside-a-mask-in-nifti",
        "pyradiomics#482",
        "Image and mask of one series, kept in two formats, were said not to match.",
        "Read: one place in two words.",
        _image_nrrd_mask_nifti,
        READ,
        NRRD,
    ),
    Fault(
        "nrrd-without-a-space",
        "",
        "Which way is left was guessed.",
        "Refused: `missing_geometry`.",
        nrrd({"space": None, "space directions": None, "space origin": None}),
        refused("missing_geometry"),
        _no_nrrd("missing_geometry"),
    ),
    Fault(
        "nrrd-in-the-scanners-space",
        "",
        "The scanner's axes were taken for the patient's.",
        "Refused: `missing_geometry`.",
        nrrd({"space": "scanner-xyz"}),
        refused("missing_geometry"),
        _no_nrrd("missing_geometry"),
    ),
    Fault(
        "nrrd-without-an-origin",
        "",
        "The first voxel was put at 0: channels of one study lay apart.",
        "Refused: `missing_geometry`.",
        nrrd({"space origin": None}),
        refused("missing_geometry"),
        _no_nrrd("missing_geometry"),
    ),
    Fault(
        "nrrd-in-micrometers",
        "",
        "The unit was passed over: 2 micrometers were 2 mm.",
        "Refused: `unsupported_unit`.",
        nrrd({"space units": '"um" "um" "um"'}),
        refused("unsupported_unit"),
        _no_nrrd("unsupported_unit"),
    ),
    Fault(
        "nrrd-with-several-numbers-a-voxel",
        "nnUNet#2925",
        "The axis of numbers was taken for one of places.",
        "Refused: which of the numbers is the CT is not said.",
        nrrd(
            {"space directions": "none (-2,0,0) (0,-3,0) (0,0,4)", "kinds": "vector domain domain domain"},
            np.stack([HU, HU + 1]),
        ),
        refused("missing_channel"),
        _no_nrrd("not_three_dimensional"),
    ),
    Fault(
        "metaimage-with-spacing-below-0",
        "",
        "A spacing of -4 mm put slices in reverse order, or was made +4 where the order was not turned.",
        "The axis runs the other way: each voxel lies where the header says.",
        mha(ElementSpacing="2 3 -4", TransformMatrix="-1 0 0 0 -1 0 0 0 -1"),
        READ,
        MHA,
    ),
    Fault(
        "metaimage-with-values-still-to-be-scaled",
        "",
        "A slope in the header was passed over by all but few programs.",
        "Refused: `unsupported_scaling`.",
        mha(ElementToIntensityFunctionSlope="2", ElementToIntensityFunctionOffset="-1024"),
        refused("unsupported_scaling"),
        Sent({"CT": "case1.mha"}, refused=("unsupported_scaling",)),
    ),
    Fault(
        "metaimage-in-micrometers",
        "InsightSoftwareConsortium/ITKIOOMEZarrNGFF#42",
        "The unit was passed over: micrometers were mm.",
        "Refused: `unsupported_unit`.",
        mha(DistanceUnits="um"),
        refused("unsupported_unit"),
        Sent({"CT": "case1.mha"}, refused=("unsupported_unit",)),
    ),
    Fault(
        "metaimage-turned-by-a-word-alone",
        "",
        "`AnatomicalOrientation` says how the axes run and no matrix does: half of the programs heed it.",
        "Refused: `missing_geometry`.",
        _turned_by_a_word,
        refused("missing_geometry"),
        Sent({"CT": "case1.mha"}, refused=("missing_geometry",)),
    ),
)
