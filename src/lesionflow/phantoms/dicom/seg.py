"""Outlines as a binary DICOM segmentation (PS3.3 A.51)."""

from pathlib import Path

import highdicom as hd
import numpy as np
from pydicom.sr.coding import Code

from lesionflow.phantoms.dicom import modules
from lesionflow.phantoms.dicom.series import slice_datasets
from lesionflow.phantoms.randomness import uid
from lesionflow.phantoms.study import PhantomStudy, Structure, structure_mask

SERIES = "SEG"
ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
NEOPLASM = Code("108369006", "SCT", "Neoplasm")
ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
#: Property type of what is no target.
ORGANS = {"Lung_L": Code("39607008", "SCT", "Lung")}
COLORS = ((255, 160, 0), (0, 160, 255), (0, 200, 120), (220, 90, 170))


def write_segmentation(path: Path, study: PhantomStudy) -> None:
    """Write the targets of a study, and one organ that is none, as segments.

    A target that is not there is a segment without frames: looked for, and not found. Structures of one label are one
    segment, named like the label.

    Args:
        path: The file.
        study: The study.
    """
    patient = study.patient
    segments = [
        (name if name.isupper() else name.capitalize(), [s for s in study.structures if s.label == label])
        for name, label in study.labels.items()
    ]
    segments += [(s.name, [s]) for s in study.structures if s.name in ORGANS]
    pixels = np.stack([_union(study, structures) for _, structures in segments], axis=-1)
    dataset = hd.seg.Segmentation(
        source_images=slice_datasets(study),
        pixel_array=pixels,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(study, number, name) for number, (name, _) in enumerate(segments, 1)],
        series_instance_uid=modules.series_uid(patient, SERIES),
        series_number=91,
        sop_instance_uid=uid(patient.seed, patient.index, SERIES),
        instance_number=1,
        manufacturer="Phantom Outliner",
        manufacturer_model_name="Outliner 1",
        software_versions="1",
        device_serial_number="1",
        content_label="PHANTOM",
        content_creator_name="Outliner^Olga",
        series_description=SERIES,
    )
    _fix_time_and_uids(dataset, study)
    modules.save(dataset, path)


def _union(study: PhantomStudy, structures: list[Structure]) -> np.ndarray:
    mask = np.zeros(study.truth.geometry.shape, dtype=np.uint8)
    for structure in structures:
        mask |= structure_mask(study, structure)
    return mask


def _describe(study: PhantomStudy, number: int, name: str) -> hd.seg.SegmentDescription:
    organ = ORGANS.get(name)
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=ANATOMY if organ else ABNORMAL,
        segmented_property_type=organ or NEOPLASM,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        tracking_uid=uid(study.patient.seed, study.patient.index, "segment", name),
        tracking_id=f"phantom {name}",
        display_color=hd.color.CIELabColor.from_rgb(*COLORS[number % len(COLORS)]),
    )


def _fix_time_and_uids(dataset: hd.seg.Segmentation, study: PhantomStudy) -> None:
    """Put the patient's own date where highdicom put now, and a UID from the seed where it drew one."""
    patient = study.patient
    for part in ("InstanceCreation", "Content", "Series"):
        for kind, value in (("Date", patient.study_date), ("Time", patient.study_time)):
            if part + kind in dataset:
                setattr(dataset, part + kind, value)
    for equipment in dataset.get("ContributingEquipmentSequence", ()):
        equipment.ContributionDateTime = patient.study_date + patient.study_time
    organization = uid(patient.seed, patient.index, "dimensions")
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
