"""Faults that users of other tools reported, each made anew by code, by kind; `docs/faults.md` is made of them."""

from collections.abc import Mapping

from faults.corpus import (
    contours,
    dicom_values,
    figures,
    image_kinds,
    label_tables,
    labels,
    mask_grids,
    names,
    nifti_headers,
    nrrd_headers,
    outlined_elsewhere,
    pictures,
    pixel_codings,
    series,
    stacks,
    transport,
    voxel_counts,
)
from faults.corpus.fault import Fault

#: By the title of their chapter in docs/faults.md, in its order.
KINDS: Mapping[str, tuple[Fault, ...]] = {
    "Labels": labels.FAULTS + label_tables.FAULTS + figures.FAULTS,
    "Contours": contours.FAULTS,
    "DICOM segmentations and structure sets": outlined_elsewhere.FAULTS,
    "DICOM series": series.FAULTS + stacks.FAULTS + image_kinds.FAULTS,
    "Values in DICOM": dicom_values.FAULTS + pixel_codings.FAULTS,
    "NIfTI, NRRD and MetaImage": nifti_headers.FAULTS + nrrd_headers.FAULTS + voxel_counts.FAULTS,
    "Masks beside their image": mask_grids.FAULTS,
    "Pictures": pictures.FAULTS,
    "Names, pairs and patients": names.FAULTS,
    "Transport and cost": transport.FAULTS,
}
FAULTS = tuple(fault for faults in KINDS.values() for fault in faults)
