"""Synthetic patients as real DICOM, with analytic truth; nothing here reads what it wrote, so that readers are tested by others."""

from lesionflow.phantoms.patient import Modality
from lesionflow.phantoms.plain_files import Outlines
from lesionflow.phantoms.study import PhantomStudy, make_study
from lesionflow.phantoms.truth import PhantomTruth, TumorTruth
from lesionflow.phantoms.writing import FileFormat, write_phantoms

__all__ = [
    "FileFormat",
    "Modality",
    "Outlines",
    "PhantomStudy",
    "PhantomTruth",
    "TumorTruth",
    "make_study",
    "write_phantoms",
]
