"""A raw data set of nnU-Net v2 on disk: `imagesTr`, `labelsTr`, `imagesTs`, `labelsTs`, `dataset.json`, and who is who."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lesionflow.data.volume import Mask
from lesionflow.io.exchange.nnunet_declaration import ENDING, LabelCoding, declare, to_text
from lesionflow.io.files import replacing_folder
from lesionflow.io.images import nifti
from lesionflow.io.stores.cases import ignores_voxels, image_path, mask_path, read_dataset

DECLARATION, SPLITS, MAPPING = "dataset.json", "splits_final.json", "lesionflow_cases.json"
TRAIN, TEST = "train", "test"
#: Folders of images and of labels, by use.
FOLDERS: Mapping[str, tuple[str, str]] = {TRAIN: ("imagesTr", "labelsTr"), TEST: ("imagesTs", "labelsTs")}


class ExportedCase(NamedTuple):
    """A case, its patient (pseudonyms both) and its use: `TRAIN` or `TEST`."""

    case_id: str
    patient_id: str
    use: str


def write_raw_dataset(
    folder: Path,
    cases: Path,
    exported: Sequence[ExportedCase],
    folds: Sequence[Mapping[str, Any]],
    facts: Mapping[str, Any],
) -> None:
    """Write a raw data set, whole or not at all.

    Args:
        folder: The data set's own, `DatasetNNN_name`.
        cases: What `ingest` wrote. Images are copied byte by byte; so are masks, where their values stand as nnU-Net wants them.
        exported: Which, and for what.
        folds: For `splits_final.json`, which nnU-Net looks for in its folder of preprocessed data; none is written without.
        facts: Of where the data come from, for `MAPPING`.

    Raises:
        NiftiError: When a mask can't be read.
    """
    dataset, some_ignored = read_dataset(cases), ignores_voxels(cases)
    coding = LabelCoding.of(dataset)
    n_training = sum(case.use == TRAIN for case in exported)
    with replacing_folder(folder) as partial:
        for use in {TRAIN, *(case.use for case in exported)}:
            for name in FOLDERS[use]:
                (partial / name).mkdir()
        for case in exported:
            images, labels = (partial / name for name in FOLDERS[case.use])
            for number in range(len(dataset.channels)):
                source = image_path(cases, case.case_id, number)
                shutil.copyfile(source, images / source.name)
            mask = mask_path(cases, case.case_id)
            if coding.is_plain and not some_ignored:
                shutil.copyfile(mask, labels / mask.name)
            else:
                found = nifti.read_mask(mask, name=case.case_id)
                nifti.write_mask(labels / f"{case.case_id}{ENDING}", Mask(coding.encode(found.labels), found.geometry))
        content = declare(dataset, n_training=n_training, some_ignored=some_ignored)
        (partial / DECLARATION).write_text(to_text(content), encoding="utf-8")
        if folds:
            (partial / SPLITS).write_text(to_text([dict(fold) for fold in folds]), encoding="utf-8")
        who = {**facts, "label_values": list(coding.values), "cases": [case._asdict() for case in exported]}
        (partial / MAPPING).write_text(to_text(who), encoding="utf-8")
