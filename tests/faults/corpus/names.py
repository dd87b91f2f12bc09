"""Names of files and folders: what is a mask, whose it is, which patient."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from faults.corpus.fault import CT, GRAY, PET, Fault, Right, ingest_section
from support import pictures as made

PICTURES = ingest_section(GRAY, {"tumor": 1})
VOLUMES = ingest_section(CT, {"tumor": 1})
N_DISC, N_CORNER = 517, 20
X, Y, Z = np.indices((6, 5, 4))
#: Values in HU as no mask has; 24 voxels of a tumor, 8 of another.
VOLUME = (20 * X + 7 * Y + Z - 60).astype(np.int16)
TUMOR = ((X < 3) & (Y < 4) & (Z < 2)).astype(np.uint8)
OTHER = ((X > 3) & (Y > 2) & (Z > 1)).astype(np.uint8)


def _pictures(images: list[str], masks: Mapping[str, np.ndarray]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name in images:
            made.save(folder / name, made.GRAY)
        for name, mask in masks.items():
            made.save(folder / name, mask)

    return make


def _volumes(images: list[str], masks: Mapping[str, np.ndarray]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name in images:
            made.save_volume(folder / name, VOLUME)
        for name, mask in masks.items():
            made.save_volume(folder / name, mask)

    return make


def _nnunet(cases: list[str]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for case in cases:
            made.save(folder / "imagesTr" / f"{case}_0000.png", made.GRAY)
            made.save(folder / "labelsTr" / f"{case}.png", made.DISC.astype(np.uint8))
        content = {"channel_names": {"0": "gray"}, "labels": {"background": 0, "tumor": 1}, "file_ending": ".png"}
        (folder / "dataset.json").write_text(json.dumps(content))

    return make


def _decathlon(folder: Path) -> None:
    _volumes([f"p{n}/img.nii.gz" for n in (1, 2)], {f"p{n}/seg.nii.gz": TUMOR for n in (1, 2)})(folder)
    listed = [{"image": f"./p{n}/img.nii.gz", "label": f"./p{n}/seg.nii.gz"} for n in (1, 2)]
    content = {"modality": {"0": "CT"}, "labels": {"0": "background", "1": "tumor"}, "training": listed}
    (folder / "dataset.json").write_text(json.dumps(content))


def _pairs_of_files(folder: Path) -> None:
    for name in ("images/p1", "masks/p1"):
        (folder / name).parent.mkdir()
        for ending in (".hdr", ".img"):
            (folder / f"{name}{ending}").write_bytes(bytes(400))


def _nnunet_listed(inside: str) -> Callable[[Path], None]:
    """A declaration that lists another image than the one that is called as the label."""

    def make(folder: Path) -> None:
        made.save_volume(folder / "imagesTr" / "a_0000.nii.gz", VOLUME)
        made.save_volume(folder / "ext" / "scan9.nii.gz", VOLUME + np.int16(5))
        made.save_volume(folder / "labels" / "x.nii.gz", TUMOR)
        made.save_volume(folder / "labelsTr" / "a.nii.gz", OTHER)
        listed = {"a": {"images": [inside], "label": "labels/x.nii.gz"}}
        content = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "tumor": 1}, "numTraining": 2}
        (folder / "dataset.json").write_text(json.dumps(content | {"dataset": listed, "file_ending": ".nii.gz"}))

    return make


def _shared_label(folder: Path) -> None:
    """A declaration that lists one label for the images of two cases."""
    for name in ("a", "b"):
        made.save_volume(folder / "imagesTr" / f"{name}_0000.nii.gz", VOLUME)
    made.save_volume(folder / "labelsTr" / "a.nii.gz", TUMOR)
    listed = {n: {"images": [f"imagesTr/{n}_0000.nii.gz"], "label": "labelsTr/a.nii.gz"} for n in ("a", "b")}
    content = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "tumor": 1}, "dataset": listed}
    (folder / "dataset.json").write_text(json.dumps(content))


def _fault(
    name: str,
    source: str,
    met: str,
    answer: str,
    make: Callable[[Path], object],
    right: Right,
    ingest: Mapping[str, Any] = VOLUMES,
) -> Fault:
    return Fault(name, source, met, answer, make, right, ingest=ingest)


BOTH = N_DISC + N_CORNER
BENIGN = "Dataset_with_GT/benign/benign (4)"
FAULTS = (
    _fault(
        "second-mask-of-an-image",
        "FengheTan9/CMUNeXt#3",
        "BUSI has `_mask` and `_mask_1` for one image; who takes the first alone learns from half the lesions.",
        "All masks of an image are united.",
        _pictures([f"{BENIGN}.png"], {f"{BENIGN}_mask.png": made.DISC, f"{BENIGN}_mask_1.png": made.CORNER}),
        Right(voxels={"tumor": BOTH}, n_cases=1, rejected=()),
        PICTURES,
    ),
    _fault(
        "masks-by-words-before-within-and-in-camel-case",
        "qurator-spk/sbb_pixelwise_segmentation#8",
        "Images and masks are paired by the order of their names, not by the names.",
        "A mask's word is found wherever it stands in the name.",
        _pictures(
            [f"x/{name}.png" for name in ("a1", "b1", "c1", "d1", "scan5", "e1", "f1")],
            {
                "x/mask_a1.png": made.DISC,
                "x/GT_b1.png": made.DISC,
                "x/c1_seg_final.png": made.DISC,
                "x/d1_roi2.png": made.DISC,
                "x/scan5LesionMask.png": made.DISC,
                "x/e1_lesion_mask.png": made.DISC,
                "x/f1.mask.png": made.DISC,
            },
        ),
        Right(voxels={"tumor": 7 * N_DISC}, n_cases=7, rejected=()),
        PICTURES,
    ),
    _fault(
        "folder-of-masks-by-two-words",
        "",
        "`nodule_mask/` beside `image/`: the masks are taken for images.",
        "A folder's name may have more words; a mask whose image is absent is named.",
        _volumes(
            ["image/L-0002_R_1.nii.gz", "image/L-0002_R_2.nii.gz"],
            {f"nodule_mask/L-{of}.nii.gz": TUMOR for of in ("0002_R_1", "0002_R_2", "1002_R_1")},
        ),
        Right(voxels={"tumor": 48}, n_cases=2, n_patients=1, rejected=("mask_without_image",)),
    ),
    _fault(
        "data-set-called-segmentation",
        "",
        "Names of data sets and patients have words for masks without being any.",
        "What has a mask of its own is an image.",
        _pictures(
            ["segmentation/Maske_1.png", "segmentation/scan_label_free.png", "segmentation/ROI_5.png"],
            {f"segmentation/{n}_mask.png": made.DISC for n in ("Maske_1", "scan_label_free", "ROI_5")},
        ),
        Right(voxels={"tumor": 3 * N_DISC}, n_cases=3, rejected=()),
        PICTURES,
    ),
    _fault(
        "mask-whose-name-does-not-say-so",
        "",
        "CHASE_DB1 names outlines by their observers, `_1stHO`, which a program takes for images.",
        "What looks like a mask and is named after an image spoils that, by name.",
        _pictures(["Image_01L.png"], {"Image_01L_mask.png": made.DISC, "Image_01L_1stHO.png": made.CORNER}),
        Right(refused=("unnamed_mask",)),
        PICTURES,
    ),
    _fault(
        "mask-that-may-be-another-images",
        "",
        "`p1_2` may be the second mask of `p1`, or of an image that was lost.",
        "Refused where `p1` has a mask of its name.",
        _pictures(["images/p1.png"], {"masks/p1.png": made.DISC, "masks/p1_2.png": made.CORNER}),
        Right(refused=("ambiguous_pairing",)),
        PICTURES,
    ),
    _fault(
        "mask-in-two-formats",
        "Slicer#5378",
        "`a.nii` and `a.nii.gz` of one folder are not the same, and one was read for the other.",
        "Refused: two forms of one mask are no two lesions. Forms of an image are refused too.",
        _volumes(["images/p1.nii.gz"], {"masks/p1.nii.gz": TUMOR, "masks/p1.nii": OTHER}),
        Right(refused=("ambiguous_outlines",)),
    ),
    _fault(
        "mask-unpacked-beside-itself",
        "Slicer#5378",
        "The same mask lies there packed and not.",
        "Read: it is one mask.",
        _volumes(["images/p1.nii.gz"], {"masks/p1.nii.gz": TUMOR, "masks/p1.nii": TUMOR}),
        Right(voxels={"tumor": 24}, n_cases=1, rejected=()),
    ),
    _fault(
        "mask-in-two-folders-for-masks",
        "",
        "`masks/p1` and `labels/p1` are not the same: an older form was united with the newer.",
        "Refused: nothing says which is meant.",
        _volumes(["images/p1.nii.gz"], {"masks/p1.nii.gz": TUMOR, "labels/p1.nii.gz": OTHER}),
        Right(refused=("ambiguous_outlines",)),
    ),
    _fault(
        "masks-of-two-versions",
        "",
        "`_v1` and `_v2` of a mask were taken for two lesions and united.",
        "Refused: a version is no number of a lesion.",
        _volumes(["images/p1.nii.gz"], {"masks/p1_v1.nii.gz": TUMOR, "masks/p1_v2.nii.gz": OTHER}),
        Right(refused=("ambiguous_outlines",)),
    ),
    _fault(
        "masks-of-two-dates",
        "",
        "Masks of one image that were drawn on two days were taken for two lesions and united.",
        "Refused: a date is no number of a lesion.",
        _volumes(["images/p1.nii.gz"], {"masks/p1_20200131.nii.gz": TUMOR, "masks/p1_20210131.nii.gz": OTHER}),
        Right(refused=("ambiguous_outlines",)),
    ),
    _fault(
        "masks-of-two-numbered-readers",
        "",
        "`rater1` and `rater2` were taken for numbers of lesions, where the two saw different ones.",
        "Refused: the one to learn from must be named.",
        _volumes(["images/p1.nii.gz"], {"masks/p1_rater1.nii.gz": TUMOR, "masks/p1_rater2.nii.gz": OTHER}),
        Right(refused=("ambiguous_outlines",)),
    ),
    _fault(
        "mask-within-a-mask",
        "",
        "Of two numbered masks of an image one lies in the other: a small lesion was lost in an older, larger outline.",
        "United, and said (`masks_within_masks`): lesions lie side by side.",
        _volumes(["images/p1.nii.gz"], {"masks/p1_1.nii.gz": TUMOR, "masks/p1_2.nii.gz": TUMOR * (X + Y + Z < 2)}),
        Right(voxels={"tumor": 24}, n_cases=1, rejected=(), notes=("masks_within_masks",)),
    ),
    _fault(
        "mask-of-the-mirrored-image",
        "",
        "`p1_flip` is the mask of an augmented image that is not there, and was laid on `p1`.",
        "Refused: its name says that it was turned, and the image's does not.",
        _volumes(["images/p1.nii.gz"], {"masks/p1_flip.nii.gz": TUMOR[::-1]}),
        Right(refused=("ambiguous_pairing",)),
    ),
    _fault(
        "masks-numbered-from-1-and-images-from-0",
        "",
        "Images are numbered from 0 and masks from 1: each mask was laid on the next image.",
        "Refused: the number or the place in the list pairs them, and nothing says which.",
        _volumes([f"images/img_{n}.nii.gz" for n in (0, 1)], {f"masks/mask_{n}.nii.gz": TUMOR for n in (1, 2)}),
        Right(refused=("ambiguous_pairing",)),
    ),
    _fault(
        "outlines-of-two-readers",
        "",
        "Two readers' outlines of one lesion are united into one that nobody drew.",
        "Refused: the one to learn from must be named.",
        _pictures(["x1.png"], {"x1_mask1.png": made.DISC, "x1_mask2.png": made.DISC & (made.ROWS > 8)}),
        Right(refused=("ambiguous_outlines",)),
        PICTURES,
    ),
    _fault(
        "field-of-view-taken-for-the-outline",
        "rezazad68/BCDU-Net#7",
        "DRIVE keeps the field of view in `mask/` and the vessels in `1st_manual/`.",
        "Refused: two folders outline different things, and no rule of ingest.outlines says which is meant.",
        _pictures(
            ["images/21_training.tif"],
            {"mask/21_training_mask.gif": ~made.CORNER, "1st_manual/21_manual1.gif": made.DISC},
        ),
        Right(refused=("ambiguous_outlines",)),
        PICTURES,
    ),
    _fault(
        "field-of-view-beside-the-outline-that-is-named",
        "rezazad68/BCDU-Net#7",
        "The same, with a rule.",
        "A rule may name a mask by its folder; the other is left out and said.",
        _pictures(
            ["images/21_training.tif"],
            {"mask/21_training_mask.gif": ~made.CORNER, "1st_manual/21_manual1.gif": made.DISC},
        ),
        Right(voxels={"tumor": N_DISC}, n_cases=1, notes=("dropped_structure",)),
        PICTURES | {"outlines": [{"pattern": "1st_manual", "label": "tumor"}]},
    ),
    _fault(
        "structures-united-as-one-label",
        "",
        "`segmentations/` holds a file an organ; with one label and no rule all are taken for the tumor.",
        "Refused with the names that were found.",
        _volumes(["s1/ct.nii.gz"], {"s1/segmentations/liver.nii.gz": TUMOR, "s1/segmentations/spleen.nii.gz": OTHER}),
        Right(refused=("ambiguous_outlines",)),
    ),
    _fault(
        "lits",
        "",
        "LiTS says `volume-0` and `segmentation-0`: names that share a number alone.",
        "Paired by what is left without the words for image and mask.",
        _volumes(
            [f"Training Batch 1/volume-{n}.nii" for n in (0, 1)],
            {f"Training Batch 1/segmentation-{n}.nii": TUMOR for n in (0, 1)},
        ),
        Right(voxels={"tumor": 48}, n_cases=2, n_patients=2, rejected=()),
    ),
    _fault(
        "hecktor",
        "HECKTOR",
        "`CHUM-001__CT` has two signs before the channel, its label none.",
        "Signs at the end of a name are no part of it.",
        _volumes(
            [f"imagesTr/{p}__{c}.nii.gz" for p in ("CHUM-001", "CHUM-002") for c in ("CT", "PT")],
            {f"labelsTr/{p}.nii.gz": TUMOR for p in ("CHUM-001", "CHUM-002")},
        ),
        Right(voxels={"tumor": 48}, n_cases=2, n_patients=2, rejected=()),
        ingest_section(CT | PET, {"tumor": 1}),
    ),
    _fault(
        "hecktor-2025",
        "HECKTOR",
        "The label is called as the case, beside `__CT` and `__PT`.",
        "What has no channel's name beside channels and looks like a mask is the mask.",
        _volumes([f"CHUM-001/CHUM-001__{c}.nii.gz" for c in ("CT", "PT")], {"CHUM-001/CHUM-001.nii.gz": TUMOR}),
        Right(voxels={"tumor": 24}, n_cases=1, rejected=()),
        ingest_section(CT | PET, {"tumor": 1}),
    ),
    _fault(
        "kits",
        "neheller/kits23#17",
        "`instances/` holds the parts of which `segmentation.nii.gz` was made.",
        "Left out and said.",
        _volumes(
            ["case_00000/imaging.nii.gz"],
            {
                "case_00000/segmentation.nii.gz": TUMOR,
                "case_00000/instances/kidney_instance-1_annotation-1.nii.gz": TUMOR,
                "case_00000/instances/kidney_instance-2_annotation-1.nii.gz": OTHER,
            },
        ),
        Right(voxels={"tumor": 24}, n_cases=1, rejected=(), notes=("partial_outlines",)),
    ),
    _fault(
        "kits-21-aggregations",
        "ljwztc/CLIP-Driven-Universal-Model#6",
        "Three aggregations of the readers' outlines lie side by side.",
        "Refused: which one is meant must be named.",
        _volumes(["c1/imaging.nii.gz"], {f"c1/aggregated_{how}_seg.nii.gz": TUMOR for how in ("AND", "MAJ", "OR")}),
        Right(refused=("ambiguous_outlines",)),
    ),
    _fault(
        "bids-derivatives",
        "bids-standard/bids-specification#1008",
        "Lesion masks lie in `derivatives/`, and end in `_msk`, `_mask`, `_dseg` or `_roi`.",
        "Paired by subject and session, whatever folders lie between.",
        _volumes(
            [f"sub-{n}/ses-1/ct/sub-{n}_ses-1_ct.nii.gz" for n in (1, 2, 3)],
            {
                "derivatives/sub-1/ses-1/sub-1_ses-1_msk.nii.gz": TUMOR,
                "derivatives/manual_masks/sub-2/ses-1/sub-2_ses-1_label-lesion_roi.nii.gz": TUMOR,
                "derivatives/sub-3/ses-1/sub-3_ses-1_space-orig_dseg.nii.gz": TUMOR,
            },
        ),
        Right(voxels={"tumor": 72}, n_cases=3, n_patients=3, rejected=()),
    ),
    _fault(
        "channel-number-without-declaration",
        "MIC-DKFZ/nnUNet#448",
        "FLARE's images end in nnU-Net's `_0000`, their labels do not, and no dataset.json lies there.",
        "One number is taken off.",
        _volumes(
            [f"images/FLARE22_Tr_000{n}_0000.nii.gz" for n in (1, 2)],
            {f"labels/FLARE22_Tr_000{n}.nii.gz": TUMOR for n in (1, 2)},
        ),
        Right(voxels={"tumor": 48}, n_cases=2, n_patients=2, rejected=()),
    ),
    _fault(
        "channel-numbers-without-declaration",
        "",
        "Several channels are told by numbers alone, and their order is guessed.",
        "Refused.",
        _volumes([f"images/x1_000{n}.nii.gz" for n in (0, 1)], {"labels/x1.nii.gz": TUMOR}),
        Right(refused=("missing_channel",)),
    ),
    _fault(
        "autopet",
        "autoPET",
        "A study has SUV and PET, CT and CTres: two files a channel.",
        "SUV is read, and the CT on its own grid; the others are said.",
        _volumes(
            [f"PETCT_01/03-23-200{n}-NA/{c}.nii.gz" for n in (3, 4) for c in ("SUV", "PET", "CT", "CTres")],
            {f"PETCT_01/03-23-200{n}-NA/SEG.nii.gz": TUMOR for n in (3, 4)},
        ),
        Right(voxels={"tumor": 48}, n_cases=2, n_patients=1, rejected=(), notes=("other_form_of_channel",)),
        ingest_section(CT | PET, {"tumor": 1}),
    ),
    _fault(
        "pancreas-ct",
        "TCIA Pancreas-CT",
        "`PANCREAS_0001` and `label0001` share a number, in folders of unlike names.",
        "The only image that ends with the mask's number.",
        _volumes(
            [f"Pancreas-CT/PANCREAS_000{n}.nii.gz" for n in (1, 2)],
            {f"TCIA_pancreas_labels-02-05-2017/label000{n}.nii.gz": TUMOR for n in (1, 2)},
        ),
        Right(voxels={"tumor": 48}, n_cases=2, n_patients=2, rejected=()),
    ),
    _fault(
        "isic",
        "xq141839/DCSAU-Net#7",
        "Images and `_segmentation` lie in folders named after the challenge.",
        "Paired across folders that differ by words for image and mask.",
        _pictures(
            [f"ISIC-2017_Training_Data/ISIC_000000{n}.png" for n in (0, 1)],
            {f"ISIC-2017_Training_Part1_GroundTruth/ISIC_000000{n}_segmentation.png": made.DISC for n in (0, 1)},
        ),
        Right(voxels={"tumor": 2 * N_DISC}, n_cases=2, n_patients=2, rejected=()),
        PICTURES,
    ),
    _fault(
        "decathlon-with-equal-names",
        "MONAI#1279",
        "dataset.json lists `img.nii.gz` in a folder a patient.",
        "The folders tell the cases apart.",
        _decathlon,
        Right(voxels={"tumor": 48}, n_cases=2, n_patients=2, rejected=()),
    ),
    _fault(
        "slices-as-patients",
        "frankkramer-lab/MIScnn#34",
        "Slices of one patient stand in training and validation at once.",
        "`10035_100` is of patient 10035, in nnU-Net's layout too, and said.",
        _nnunet(["10035_100", "10035_101", "10043_100"]),
        Right(n_cases=3, n_patients=2, rejected=(), notes=("patients_by_name",)),
        PICTURES,
    ),
    _fault(
        "examinations-as-patients",
        "MIC-DKFZ/nnUNet#1871",
        "Examinations of one patient at several times are divided between training and validation.",
        "Marks of a follow-up are no part of the patient's name.",
        _nnunet(["PGM-0004", "PGM-0004_FU003d", "P12_Timepoint_1", "P12_Timepoint_2", "Q7_pre", "Q7_post"]),
        Right(n_cases=6, n_patients=3, rejected=(), notes=("patients_by_name",)),
        PICTURES,
    ),
    _fault(
        "cases-counted-as-one-patient",
        "",
        "A number that counts cases is taken for a slice, and all are one patient.",
        "`BRATS_001` and `BraTS2021_00001` are patients.",
        _nnunet(["BRATS_001", "BRATS_002", "BraTS2021_00000", "BraTS2021_00001"]),
        Right(n_cases=4, n_patients=4, rejected=()),
        PICTURES,
    ),
    _fault(
        "phases-and-dates-as-patients",
        "autoPET",
        "autoPET III writes patient, date and text into one name; a phase or a copy's number makes a patient of one scan.",
        "What stands before the date, the phase, the heart's phase or the copy's number; a guess is said.",
        _nnunet(
            [
                *(f"fdg_0011f3deaf_0{n}-23-2003-NA-PET-CT Ganzkoerper-{n}" for n in (3, 5)),
                *("HCC_001_CT1", "HCC_001_CT2", "p1_arterial", "p1_venous", "ICTS_0012_ES", "ICTS_0012_ED"),
                *("P12", "P12 (1)", "slice012_P13", "slice013_P13", "001a", "001b"),
            ]
        ),
        Right(n_cases=14, n_patients=7, rejected=(), notes=("patients_by_name", "doubtful_patients")),
        PICTURES,
    ),
    _fault(
        "patients-of-one-site-as-one",
        "TCIA",
        "TCGA's barcode and ADNI's subject have a site's number before the patient's: all of a site become one patient.",
        "Both forms are known.",
        _nnunet(["TCGA-05-4244", "TCGA-05-4245", "002_S_0295_20060418", "002_S_0295_20070525", "002_S_0413_20060502"]),
        Right(n_cases=5, n_patients=4, rejected=()),
        PICTURES,
    ),
    _fault(
        "nnunet-lists-the-files-of-each-case",
        "MIC-DKFZ/nnUNet#188",
        "`dataset` in dataset.json lists each case's files; files of `imagesTr` that are called alike are taken instead.",
        "The list is followed, and a count of cases that disagrees is said.",
        _nnunet_listed("./ext/scan9.nii.gz"),
        Right(voxels={"tumor": 24}, maximum=(76.0,), n_cases=1, rejected=(), notes=("cases_not_as_declared",)),
    ),
    _fault(
        "nnunet-lists-files-out-of-its-folder",
        "MIC-DKFZ/nnUNet#188",
        "A listed path leads out of the data set.",
        "Refused: what lies there is none of the data set's.",
        _nnunet_listed("../scan9.nii.gz"),
        Right(refused=("unsafe_path",)),
    ),
    _fault(
        "nnunet-lists-one-label-for-two-images",
        "",
        "A label was listed for two images, by a slip or for two phases: on one of them it may lie anywhere.",
        "What is declared is believed where the grids are one, and it is said (`files_of_several_cases`).",
        _shared_label,
        Right(voxels={"tumor": 48}, n_cases=2, notes=("files_of_several_cases",)),
    ),
    _fault(
        "brats-men-rt",
        "BraTS-MEN-RT",
        "The radiotherapy part of BraTS has one image, `_t1c`, and its outline is called `_gtv`.",
        "The target volume is the label of a rule for `gtv`, or the only label.",
        _volumes(
            [f"BraTS-MEN-RT-000{n}-1/BraTS-MEN-RT-000{n}-1_t1c.nii.gz" for n in (1, 2)],
            {f"BraTS-MEN-RT-000{n}-1/BraTS-MEN-RT-000{n}-1_gtv.nii.gz": TUMOR for n in (1, 2)},
        ),
        Right(voxels={"tumor": 48}, n_cases=2, n_patients=2, rejected=()),
        ingest_section({"T1CE": {"kind": "mr", "modality": "MR", "series_description": ""}}, {"tumor": 1}),
    ),
    _fault(
        "images-beside-the-channels",
        "UCSF-PDGM",
        "UCSF-PDGM has `_FLAIR_bias` and `_DTI_eddy_FA` beside the channels, ACDC the series `_4d` beside its frames.",
        "Left out and said, where the case has its image and mask.",
        _volumes(
            [
                *(f"UCSF-PDGM-0004/UCSF-PDGM-0004_{of}.nii.gz" for of in ("CT", "CT_bias", "DTI_eddy_FA")),
                *(f"patient001/patient001_{of}.nii.gz" for of in ("4d", "frame01")),
            ],
            {
                "UCSF-PDGM-0004/UCSF-PDGM-0004_tumor_segmentation.nii.gz": TUMOR,
                "patient001/patient001_frame01_gt.nii.gz": OTHER,
            },
        ),
        Right(voxels={"tumor": 32}, n_cases=2, n_patients=2, rejected=(), notes=("extra_images",)),
    ),
    _fault(
        "masks-of-lesions-without-a-word-for-mask",
        "",
        "`P1_lesion_1` and `P1_lesion_2` lie beside `P1`, a file a lesion.",
        "What looks like a mask and says what is outlined is one, where the image has no other; that is said.",
        _volumes(["P1.nii.gz"], {"P1_lesion_1.nii.gz": TUMOR, "P1_lesion_2.nii.gz": OTHER}),
        Right(voxels={"tumor": 32}, n_cases=1, n_patients=1, rejected=(), notes=("masks_by_content",)),
    ),
    _fault(
        "pairs-of-header-and-voxels",
        "nipy/nibabel",
        "NIfTI and Analyze 7.5 in two files, `.hdr` and `.img`; Analyze does not say which side is left.",
        "Refused with what to convert.",
        _pairs_of_files,
        Right(refused=("unknown_layout",)),
    ),
)
