"""Faults that users of other tools reported, each made anew by code, by kind; `docs/faults.md` is made of them."""

from collections.abc import Mapping

from faults.corpus import contours, dicom_values, labels, names, pictures, series, transport, volumes
from faults.corpus.fault import Fault

#: By the title of their chapter in docs/faults.md, in its order.
KINDS: Mapping[str, tuple[Fault, ...]] = {
    "Labels": labels.FAULTS,
    "Contours": contours.FAULTS,
    "DICOM series": series.FAULTS,
    "Values in DICOM": dicom_values.FAULTS,
    "NIfTI, NRRD and MetaImage": volumes.FAULTS,
    "Pictures": pictures.FAULTS,
    "Names, pairs and patients": names.FAULTS,
    "Transport and cost": transport.FAULTS,
}
FAULTS = tuple(fault for faults in KINDS.values() for fault in faults)
