"""Volumes that are no DICOM: NIfTI, NRRD, MetaImage."""

from faults.corpus.fault import Fault

FAULTS: tuple[Fault, ...] = ()
