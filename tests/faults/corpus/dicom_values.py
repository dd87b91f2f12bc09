"""Values in DICOM: rescaling, SUV, character sets, representations."""

from faults.corpus.fault import Fault

FAULTS: tuple[Fault, ...] = ()
