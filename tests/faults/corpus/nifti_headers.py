"""What NIfTI headers say of their voxels, and what programs made of it."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np

from faults.corpus.fault import CT, PET, Fault, Right, Sent, ingest_section
from faults.corpus.made_volumes import (
    AFFINE,
    AT,
    DIM,
    HU,
    MARKED,
    PIXDIM,
    QFORM_CODE,
    READ,
    SENT,
    SFORM_CODE,
    SLOPE,
    SROW_X,
    UNITS,
    VOX_OFFSET,
    image,
    mask,
    nifti,
    not_sent,
    noted,
    refused,
)

#: About x by the angle whose cosine is 0.8: exact in few digits.
TURNED = AFFINE.copy()
TURNED[:3, :3] = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]) @ AFFINE[:3, :3]
#: (3, 4, 2) is (6, 12, 8) mm from the first voxel; turned (6, 4.8, 13.6). The mask's middle is (3, 7.5, 6); turned (3, 2.4, 9.3).
TURNED_AT = ((-16.0, -24.8, 43.6), 43.0)
#: The first column lies left, at 20 mm right, and x runs to the left.
LEFTWARD = AFFINE * [[-1, 1, 1, 2], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
LEFTWARD_AT = ((-14.0, -32.0, 38.0), 43.0)
SMALL = np.array([[0.3, 0, 0, 10], [0, 0.3, 0, 20], [0, 0, 0.3, 30], [0, 0, 0, 1]])
SMALL_AT = ((-10.9, -21.2, 30.6), 43.0)
#: The middle of the grid, (2.5, 2, 1.5), at 0.
CENTERED = np.array([[2.0, 0, 0, -5], [0, 3, 0, -6], [0, 0, 4, -6], [0, 0, 0, 1]])
CENTERED_AT = ((-1.0, -6.0, 2.0), 43.0)
TIME_POINTS = np.stack([HU, HU + 1], axis=-1)


def _sheared(by: float) -> np.ndarray:
    affine = AFFINE.copy()
    affine[0, 1] = by
    return affine


def _colored() -> nib.Nifti1Image:
    colored = np.zeros(MARKED.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colored["R"] = MARKED * 255
    return nib.Nifti1Image(colored, AFFINE)


def _big_endian(voxels: np.ndarray) -> nib.Nifti1Image:
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(voxels.dtype)
    made = nib.Nifti1Image(voxels, AFFINE, header)
    made.set_sform(AFFINE, 1)
    return made


def _stored_half() -> nib.Nifti1Image:
    """Stored as (HU + 1024) / 2, with slope 2 and intercept -1024: whole numbers, since only even HU are asked for."""
    made = image(((HU // 2 * 2 + 1024) // 2).astype(np.int16))
    made.header.set_slope_inter(2.0, -1024.0)
    return made


def _permuted(voxels: np.ndarray) -> nib.Nifti1Image:
    """Axes stored as (z, x, y), at the same places."""
    return image(voxels.transpose(2, 0, 1), AFFINE[:, [2, 0, 1, 3]])


def _decathlon_of_five_axes(folder: Path) -> None:
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir()
    channels = np.stack([HU, HU + 1000], axis=-1)[:, :, :, None, :]
    nib.save(image(channels), folder / "imagesTr" / "case1.nii.gz")
    nib.save(mask(), folder / "labelsTr" / "case1.nii.gz")
    listed = [{"image": "./imagesTr/case1.nii.gz", "label": "./labelsTr/case1.nii.gz"}]
    declared = {"modality": {"0": "T1", "1": "T2"}, "labels": {"0": "background", "1": "tumor"}, "training": listed}
    (folder / "dataset.json").write_text(json.dumps(declared))


def _apart(folder: Path) -> None:
    nib.save(image(), folder / "ct.nii.gz")
    nib.save(image(np.abs(HU).astype(np.float32) / 100, np.diag([2.0, 3.0, 4.0, 1.0])), folder / "pet.nii.gz")


TWO_MR = {name: {"kind": "mr", "modality": "MR", "series_description": ""} for name in ("T2", "T1")}

FAULTS = (
    Fault(
        "nifti-placed-by-qform-alone",
        "simnibs#448",
        "The sform had code 0 and ones on its diagonal; programs that took it moved and scaled the head.",
        "A form of code 0 is not looked at: read by the qform.",
        nifti(edits=[(SFORM_CODE, "<h", 0), (SROW_X, "<12f", 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)]),
        READ,
        SENT,
    ),
    Fault(
        "nifti-placed-by-sform-alone",
        "simnibs#110",
        "The qform had code 0 and was preferred all the same, or the file refused because both differ.",
        "Read by the sform.",
        nifti(edits=[(QFORM_CODE, "<h", 0), (256, "<6f", 0, 0, 0, 0, 0, 0)]),
        READ,
        SENT,
    ),
    Fault(
        "nifti-sform-of-zeros",
        "nibabel#624",
        "The sform's code was set and its matrix all zeros: voxels of no size at one point.",
        "Read by the qform, and said (`sform_without_matrix`).",
        nifti(edits=[(SROW_X, "<12f", *[0.0] * 12)]),
        noted("sform_without_matrix"),
        Sent({"CT": "case1.nii.gz"}, shape=(4, 5, 6), value_at=AT, says="sform"),
    ),
    Fault(
        "nifti-forms-of-two-voxel-sizes",
        "FastSurfer#36",
        "The sform told voxels of 1 mm where the qform told 0.5: the head came out twice as large.",
        "Refused: `contradictory_geometry`.",
        nifti(edits=[(SROW_X, "<12f", 1, 0, 0, 10, 0, 1, 0, 20, 0, 0, 1, 30)]),
        refused("contradictory_geometry"),
        not_sent("contradictory_geometry"),
    ),
    Fault(
        "nifti-forms-that-lie-apart",
        "fmriprep#2281",
        "Sform and qform gave one image two places, and each program took another.",
        "Read by the sform, and said (`sform_and_qform_differ`).",
        nifti(edits=[(268, "<f", 90.0)]),
        noted("sform_and_qform_differ"),
        Sent({"CT": "case1.nii.gz"}, shape=(4, 5, 6), value_at=AT, says="sform and qform"),
    ),
    Fault(
        "nifti-mask-by-the-images-other-form",
        "spinalcordtoolbox#2106",
        "The image's forms differed, and labels that a program wrote by one of them no longer fitted.",
        "Image and mask are judged alike: one grid by any form of both is one grid, and said (`mask_by_other_form`).",
        nifti(
            edits=[(268, "<f", 90.0)],
            mask_edits=[(268, "<f", 90.0), (SROW_X + 12, "<f", 90.0)],
        ),
        noted("mask_by_other_form"),
    ),
    Fault(
        "nifti-without-a-place",
        "",
        "Both forms had code 0; every program guesses another orientation.",
        "Refused: `missing_geometry`.",
        nifti(edits=[(QFORM_CODE, "<hh", 0, 0)]),
        refused("missing_geometry"),
        not_sent("missing_geometry"),
    ),
    Fault(
        "nifti-voxel-sizes-that-the-sform-does-not-have",
        "nifti_clib#127",
        "The header's voxel sizes were others than its sform's columns; half of the programs take the one, half the other.",
        "With no qform to say a third thing: read by the sform, and said (`voxel_sizes_differ`).",
        nifti(edits=[(QFORM_CODE, "<h", 0), (PIXDIM + 4, "<3f", 1.0, 1.0, 1.0)]),
        noted("voxel_sizes_differ"),
        Sent({"CT": "case1.nii.gz"}, shape=(4, 5, 6), value_at=AT, says="voxels of 1.000"),
    ),
    Fault(
        "nifti-sheared-by-a-tilted-gantry",
        "dcm2niix#945",
        "A tilted CT's sform is sheared: some programs drop the shear without a word, some refuse the file.",
        "Refused: `invalid_geometry`.",
        nifti(image(affine=_sheared(0.5)), mask(affine=_sheared(0.5)), edits=[(QFORM_CODE, "<h", 0)]),
        refused("invalid_geometry"),
        not_sent("invalid_geometry"),
    ),
    Fault(
        "nifti-axes-a-hair-off-perpendicular",
        "TotalSegmentator#461",
        "Hundreds of files of a public collection did not open: their axes are off by less than a thousandth.",
        "Read.",
        nifti(image(affine=_sheared(0.0015)), mask(affine=_sheared(0.0015))),
        Right(voxels={"tumor": 8}, n_cases=1, rejected=()),
        Sent({"CT": "case1.nii.gz"}, shape=(4, 5, 6), maximum=145.0),
    ),
    Fault(
        "nifti-small-voxels",
        "ITK#3333",
        "Voxels of 0.3 mm failed a test of perpendicular axes that did not scale with them.",
        "Read.",
        nifti(image(affine=SMALL), mask(affine=SMALL)),
        Right(voxels={"tumor": 8}, value_at=SMALL_AT, centroid_mm=(-10.45, -20.75, 30.45)),
        Sent({"CT": "case1.nii.gz"}, shape=(4, 5, 6), value_at=SMALL_AT),
    ),
    Fault(
        "nifti-centered-at-the-origin",
        "nibabel#182",
        "An image whose middle is exactly at 0 was taken for one without a place, and lost its sform.",
        "Read.",
        nifti(image(affine=CENTERED), mask(affine=CENTERED)),
        Right(voxels={"tumor": 8}, value_at=CENTERED_AT, centroid_mm=(2.0, -1.5, 0.0)),
        Sent({"CT": "case1.nii.gz"}, shape=(4, 5, 6), value_at=CENTERED_AT),
    ),
    Fault(
        "nifti-oblique",
        "nibabel#1181",
        "Of an oblique image, two programs gave two qforms; labels made by one did not lie on the other's image.",
        "Read at its oblique places.",
        nifti(image(affine=TURNED), mask(affine=TURNED)),
        Right(voxels={"tumor": 8}, value_at=TURNED_AT, centroid_mm=(-13.0, -22.4, 39.3)),
        Sent({"CT": "case1.nii.gz"}, shape=(4, 5, 6), value_at=TURNED_AT),
    ),
    Fault(
        "nifti-that-runs-to-the-left",
        "TotalSegmentator#509",
        "Images stored right to left were taken as stored left to right: paired organs changed sides.",
        "Read by the header: right is right.",
        nifti(image(affine=LEFTWARD), mask(affine=LEFTWARD)),
        Right(voxels={"tumor": 8}, value_at=LEFTWARD_AT, centroid_mm=(-17.0, -27.5, 36.0)),
        Sent({"CT": "case1.nii.gz"}, shape=(4, 5, 6), value_at=LEFTWARD_AT),
    ),
    Fault(
        "nifti-with-axes-in-another-order",
        "MONAI#1818",
        "Images came out turned by a quarter: the axes were taken in the order in which they are stored.",
        "Read by the header, and the mask comes back in the file's own order.",
        nifti(_permuted(HU), _permuted(MARKED)),
        READ,
        Sent({"CT": "case1.nii.gz"}, shape=(5, 6, 4), value_at=AT),
    ),
    Fault(
        "nifti-of-five-axes",
        "MONAI#3176",
        "ITK writes two channels behind an axis of one: the channel was taken for a place, or the file refused.",
        "The fifth axis is the channel.",
        _decathlon_of_five_axes,
        Right(voxels={"tumor": 8}, value_at=((-16.0, -32.0, 38.0), 1043.0), n_cases=1),
        ingest=ingest_section(TWO_MR),
        preset="brats_3d",
    ),
    Fault(
        "nifti-with-a-fourth-axis-of-one",
        "neurosynth/neurosynth#43",
        "A volume read as of four axes met a mask of three.",
        "An axis of one is no axis.",
        nifti(image(HU[..., None])),
        READ,
        SENT,
    ),
    Fault(
        "nifti-of-several-times",
        "MONAI#7185",
        "A volume a time was taken for channels or for places.",
        "Refused: which of the volumes is meant is not said.",
        nifti(image(TIME_POINTS)),
        refused("missing_channel"),
        not_sent("not_three_dimensional"),
    ),
    Fault(
        "nifti-mask-of-several-times",
        "nnUNet#508",
        "A mask of six times beside an image of one stopped planning with an error of numpy.",
        "Refused by name.",
        nifti(marked=mask(np.stack([MARKED, MARKED], axis=-1))),
        refused("not_labels"),
    ),
    Fault(
        "nifti-mask-in-colors",
        "nibabel#979",
        "Voxels of red, green and blue could not be converted, or one color was taken for the label.",
        "Refused: `not_three_dimensional`.",
        nifti(marked=_colored()),
        refused("not_three_dimensional"),
    ),
    Fault(
        "nifti-stored-with-slope-and-intercept",
        "itksnap#94",
        "Stored numbers were taken for HU: 7594 where -101 was meant.",
        "Scaled as the header says.",
        nifti(_stored_half()),
        Right(voxels={"tumor": 8}, value_at=(AT[0], 42.0)),
        Sent({"CT": "case1.nii.gz"}, value_at=(AT[0], 42.0)),
    ),
    Fault(
        "nifti-slope-that-is-no-number",
        "fmriprep#2507",
        "Slope and intercept were NaN, as some programs write when nothing is to be scaled.",
        "Read as stored.",
        nifti(edits=[(SLOPE, "<2f", float("nan"), float("nan"))]),
        READ,
        SENT,
    ),
    Fault(
        "nifti-slope-of-0",
        "",
        "A slope of 0, which the standard takes for none, made every voxel 0.",
        "Read as stored.",
        nifti(edits=[(SLOPE, "<2f", 0.0, 0.0)]),
        READ,
        SENT,
    ),
    Fault(
        "nifti-from-a-big-endian-machine",
        "nipreps/niworkflows#1061",
        "Bytes were swapped in the header alone.",
        "Read.",
        nifti(_big_endian(HU), _big_endian(MARKED)),
        READ,
        SENT,
    ),
    Fault(
        "nifti-2",
        "",
        "Programs that know NIfTI-1 alone take its header for voxels.",
        "Read.",
        nifti(nib.Nifti2Image(HU, AFFINE), nib.Nifti2Image(MARKED, AFFINE)),
        READ,
        SENT,
    ),
    Fault(
        "nifti-in-micrometers",
        "ITK#4595",
        "The unit of lengths was passed over: a mouse of 40 m.",
        "Brought to mm.",
        nifti(
            image(affine=AFFINE * [[1000], [1000], [1000], [1]]),
            mask(affine=AFFINE * [[1000], [1000], [1000], [1]]),
            edits=[(UNITS, "<B", 3)],
        ),
        READ,
        SENT,
    ),
    Fault(
        "nifti-header-of-a-pair-under-the-name-of-a-whole",
        "",
        "The header half of a pair, renamed, was read from its own first byte on.",
        "Refused: `unreadable_nifti`.",
        nifti(edits=[(VOX_OFFSET, "<f", 0.0)]),
        refused("unreadable_nifti"),
        not_sent("unreadable_nifti"),
    ),
    Fault(
        "nifti-with-a-size-of-0",
        "",
        "A fourth axis of size 0 made an image of no voxels.",
        "Refused by name.",
        nifti(edits=[(DIM, "<8h", 4, 6, 5, 4, 0, 1, 1, 1)]),
        refused("not_three_dimensional", "unreadable_nifti"),
        not_sent("not_three_dimensional", "unreadable_nifti"),
    ),
    Fault(
        "nifti-ct-windowed-to-a-byte",
        "TotalSegmentator#509",
        "Values scaled to 0..255 went into a model of HU, and the labels came out wrong without a word.",
        "Read, and said: nothing is as light as fat or air (`no_air`).",
        nifti(image((HU + 200).clip(0, 255).astype(np.int16))),
        Right(voxels={"tumor": 8}, notes=("no_air",), n_cases=1),
        Sent({"CT": "case1.nii.gz"}, maximum=255.0, says="air or fat"),
    ),
    Fault(
        "nifti-ct-that-lost-its-sign",
        "nyxus#373",
        "-1000 HU, kept in 16 bits without a sign, was 64,536.",
        "Refused: `implausible_hu`.",
        nifti(image(HU.astype(np.uint16).astype(np.int32))),
        refused("implausible_hu"),
        not_sent("implausible_hu"),
    ),
    Fault(
        "nifti-channels-that-lie-apart",
        "",
        "A PET that had lost its place was laid on the CT, and was empty there.",
        "Refused: `channels_do_not_overlap`.",
        _apart,
        None,
        Sent({"CT": "ct.nii.gz", "PET": "pet.nii.gz"}, refused=("channels_do_not_overlap",)),
        ingest=ingest_section(CT | PET),
    ),
    Fault(
        "nifti-voxels-that-are-no-numbers",
        "",
        "NaN outside the field of view ran through normalization into every voxel.",
        "Refused: `non_finite_voxels`.",
        nifti(image(np.where(HU == 43, np.nan, HU).astype(np.float32))),
        refused("non_finite_voxels"),
        not_sent("non_finite_voxels"),
    ),
    Fault(
        "nifti-pet-in-becquerels",
        "",
        "A PET was converted as it was stored, in Bq/ml, and went into a model of SUV.",
        "Refused: `implausible_suv`, as no patient has an SUV of thousands on the average.",
        nifti(image((np.abs(HU) * 70.0).astype(np.float32))),
        refused("implausible_suv"),
        Sent({"PET": "case1.nii.gz"}, refused=("implausible_suv",)),
        ingest=ingest_section(PET, {"tumor": 1}),
    ),
    Fault(
        "nifti-pet-too-faint",
        "",
        "Units were lost on the way: nothing in the image is brighter than an SUV of 0.002.",
        "Refused: `implausible_suv`.",
        nifti(image((np.abs(HU) * 1e-5).astype(np.float32))),
        refused("implausible_suv"),
        Sent({"PET": "case1.nii.gz"}, refused=("implausible_suv",)),
        ingest=ingest_section(PET, {"tumor": 1}),
    ),
    Fault(
        "nifti-pet-with-a-wrong-intercept",
        "",
        "An intercept of another series put the uptake far below 0.",
        "Refused: `implausible_suv`.",
        nifti(image(((np.abs(HU) - 190) * 1.0).astype(np.float32))),
        refused("implausible_suv"),
        Sent({"PET": "case1.nii.gz"}, refused=("implausible_suv",)),
        ingest=ingest_section(PET, {"tumor": 1}),
    ),
)
