"""What a reported fault is: its source, what its users met, the input made anew by code, and what is right."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

#: Where the trackers lie that sources name as `project#number`.
PROJECTS = {
    "adit": "openradx/adit",
    "BodyPartRegression": "MIC-DKFZ/BodyPartRegression",
    "BRAINSTools": "BRAINSia/BRAINSTools",
    "dcm2niix": "rordenlab/dcm2niix",
    "dcmqi": "QIICR/dcmqi",
    "dcmrtstruct2nii": "Sikerdebaard/dcmrtstruct2nii",
    "dcmstack": "moloney/dcmstack",
    "deid": "pydicom/deid",
    "dicom2nifti": "icometrix/dicom2nifti",
    "Dicom_RT_and_Images_to_Mask": "brianmanderson/Dicom_RT_and_Images_to_Mask",
    "DICOMAnonymizer": "mmiv-center/DICOMAnonymizer",
    "dicomweb-client": "ImagingDataCommons/dicomweb-client",
    "FastSurfer": "Deep-MI/FastSurfer",
    "fmriprep": "nipreps/fmriprep",
    "highdicom": "ImagingDataCommons/highdicom",
    "ITK": "InsightSoftwareConsortium/ITK",
    "itksnap": "pyushkevich/itksnap",
    "mlflow": "mlflow/mlflow",
    "MONAI": "Project-MONAI/MONAI",
    "nibabel": "nipy/nibabel",
    "NIfTI.jl": "JuliaNeuroscience/NIfTI.jl",
    "nifti_clib": "NIFTI-Imaging/nifti_clib",
    "nnUNet": "MIC-DKFZ/nnUNet",
    "nyxus": "PolusAI/nyxus",
    "OHIF": "OHIF/Viewers",
    "ohif-viewer-XNAT-plugin": "JamesAPetts/ohif-viewer-XNAT-plugin",
    "openslide": "openslide/openslide",
    "platipy": "pyplati/platipy",
    "pydicom": "pydicom/pydicom",
    "pyradiomics": "AIM-Harvard/pyradiomics",
    "RSNA-anonymizer": "RSNA/anonymizer",
    "rt-utils": "qurit/rt-utils",
    "simnibs": "simnibs/simnibs",
    "SimpleITK": "SimpleITK/SimpleITK",
    "Slicer": "Slicer/Slicer",
    "spinalcordtoolbox": "spinalcordtoolbox/spinalcordtoolbox",
    "torchio": "TorchIO-project/torchio",
    "TotalSegmentator": "wasserth/TotalSegmentator",
    "vtk-dicom": "dgobbi/vtk-dicom",
    "Weasis": "nroduit/Weasis",
}
CT = {"CT": {"kind": "ct", "modality": "CT", "series_description": ""}}
PET = {"PET": {"kind": "pet", "modality": "PT", "series_description": ""}}
MR = {"T1": {"kind": "mr", "modality": "MR", "series_description": ""}}
GRAY = {"gray": {"kind": "picture", "modality": "", "series_description": ""}}


def ingest_section(
    channels: Mapping[str, Any], labels: Mapping[str, int] | None = None, **others: Any
) -> dict[str, Any]:
    """Values of section `ingest`: these channels, the first the reference; one label `tumor` by outlines named GTV if not told."""
    given = {
        "channels": dict(channels),
        "reference_channel": next(iter(channels)),
        "labels": dict(labels or {"tumor": 1}),
        "regions": {},
        "outlines": [] if labels else [{"pattern": "(?i)gtv.*", "label": "tumor"}],
    }
    return given | others


@dataclass(frozen=True)
class Right:
    """What `ingest` must make of the input; what is not told is not asked.

    Args:
        refused: Reasons, one of which is that of every refusal, where nothing may be accepted.
        voxels: Voxels by label, over all cases.
        maximum: The largest value of the first channel, by case, sorted.
        value_at: A position in the patient (LPS, mm) and the first channel's value there, of the only case.
        centroid_mm: Middle of all labeled voxels (LPS, mm) of the only case.
        n_cases: Cases accepted.
        n_patients: Their patients.
        rejected: Reasons of the refusals beside accepted cases, sorted.
        notes: Codes that must be among what is said.
        may_refuse: Whether a refusal by name is right too.
        ignored: Voxels that are not known, over all cases.
    """

    refused: tuple[str, ...] = ()
    voxels: Mapping[str, int] | None = None
    maximum: tuple[float, ...] | None = None
    value_at: tuple[tuple[float, float, float], float] | None = None
    centroid_mm: tuple[float, float, float] | None = None
    n_cases: int | None = None
    n_patients: int | None = None
    rejected: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    may_refuse: bool = False
    ignored: int = 0


@dataclass(frozen=True)
class Sent:
    """What a client sends of the input, and what `predict` and the service must make of it.

    Args:
        files: A folder of DICOM below the input ("" is all of it), a zip, or an image file by channel.
        refused: Reasons, one of which both must give.
        shape: (slice, row, column) of the mask's grid.
        maximum: The largest value read, of the first channel.
        value_at: A position in the patient (LPS, mm) and the first channel's value there.
        says: Words that a warning must hold.
        formats: Output formats beside NIfTI that both must give too.
    """

    files: str | Mapping[str, str]
    refused: tuple[str, ...] = ()
    shape: tuple[int, int, int] | None = None
    maximum: float | None = None
    value_at: tuple[tuple[float, float, float], float] | None = None
    says: str = ""
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """A condition that people met.

    Args:
        name: Unique, in kebab-case.
        source: `project#issue` of a public tracker, a collection's name, or "" for what was found here.
        met: What users of other tools met, one sentence.
        answer: What lesionflow does, one sentence.
        make: Writes the input into an empty folder.
        right: What `ingest` must make of it; None where a folder of studies is not what the fault is about.
        sent: What a client would send of it; None where the fault lies in masks or names alone.
        ingest: Values of section `ingest` that differ from the preset's.
        preset: The params to begin with.
    """

    name: str
    source: str
    met: str
    answer: str
    make: Callable[[Path], object]
    right: Right | None
    sent: Sent | None = None
    ingest: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType(ingest_section(CT)))
    preset: str = "lung_2d"
