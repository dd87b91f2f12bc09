"""What a PET series says of dose and time, and how its voxels become a standardized uptake value (SUV)."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lesionflow.phantoms.dicom.modules import DECIMAL_TOLERANCE, decimal
from lesionflow.phantoms.patient import Patient
from lesionflow.phantoms.randomness import stream

#: Half-life of fluorine-18, as scanners write it.
HALF_LIFE_S = 6586.2
#: Part of the patients whose series holds Bq/ml, so that SUV must be computed; the others hold SUV.
BQML_FRACTION = 0.6


@dataclass(frozen=True)
class PetScan:
    """Dose and times of a PET scan.

    Args:
        units: `BQML` or `GML`.
        dose_bq: Injected dose at the time of injection.
        injected: When.
        started: When the series starts, to which its voxels are corrected for decay.
        units_per_suv: Stored unit of a voxel whose SUV by body weight is 1.
    """

    units: str
    dose_bq: float
    injected: datetime
    started: datetime
    units_per_suv: float


def draw_pet_scan(patient: Patient) -> PetScan:
    """Draw dose and times of a patient's scan.

    References:
        SUV by body weight = activity concentration x weight / (dose x 2^(-wait / half-life)): QIBA FDG-PET/CT profile,
        with decay correction to the start of the series (DICOM PS3.3 C.8.9.1.1.8).
    """
    rng = stream(patient.seed, patient.index, "PET scan")
    started = datetime.strptime(patient.study_date + patient.study_time, "%Y%m%d%H%M%S")  # noqa: DTZ007 scanners' local time
    wait_s = int(rng.integers(3000, 5400))
    dose_bq = float(int(rng.uniform(3.0, 5.0) * patient.weight_kg) * 1_000_000)
    units = "BQML" if rng.random() < BQML_FRACTION else "GML"
    bq_per_suv = dose_bq * 2.0 ** (-wait_s / HALF_LIFE_S) / (patient.weight_kg * 1000.0)
    return PetScan(
        units=units,
        dose_bq=dose_bq,
        injected=started - timedelta(seconds=wait_s),
        started=started,
        units_per_suv=bq_per_suv if units == "BQML" else 1.0,
    )


def add_pet_series(dataset: Dataset, patient: Patient, scan: PetScan, n_slices: int) -> None:
    """Fill PET series and PET isotope (PS3.3 C.8.9.1, C.8.9.2)."""
    dataset.Units = scan.units
    if scan.units == "GML":
        dataset.SUVType = "BW"
    dataset.CountsSource = "EMISSION"
    dataset.SeriesType = ["WHOLE BODY", "IMAGE"]
    dataset.NumberOfSlices = n_slices
    dataset.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    dataset.DecayCorrection = "START"
    dataset.CollimatorType = "NONE"
    dataset.AttenuationCorrectionMethod = "measured, CT"
    dataset.ScatterCorrectionMethod = "model"
    dataset.RandomsCorrectionMethod = "DLYD"
    dataset.ReconstructionMethod = "OSEM"
    dataset.PatientWeight = f"{patient.weight_kg:.1f}"
    recumbent = _code("102538003", "SCT", "recumbent")
    recumbent.PatientOrientationModifierCodeSequence = Sequence([_code("40199007", "SCT", "supine")])
    dataset.PatientOrientationCodeSequence = Sequence([recumbent])
    del dataset.PatientPosition  # the coded orientation takes its place (PS3.3 C.7.3.1.1.2)
    dataset.PatientGantryRelationshipCodeSequence = Sequence([_code("102540008", "SCT", "headfirst")])
    injection = Dataset()
    injection.Radiopharmaceutical = "Fluorodeoxyglucose"
    injection.RadiopharmaceuticalStartTime = scan.injected.strftime("%H%M%S.00")
    injection.RadiopharmaceuticalStartDateTime = scan.injected.strftime("%Y%m%d%H%M%S.00")
    injection.RadionuclideTotalDose = str(int(scan.dose_bq))
    injection.RadionuclideHalfLife = str(HALF_LIFE_S)
    injection.RadionuclidePositronFraction = "0.97"
    injection.RadionuclideCodeSequence = Sequence([_code("77004003", "SCT", "^18^Fluorine")])
    injection.RadiopharmaceuticalCodeSequence = Sequence([_code("35321007", "SCT", "Fluorodeoxyglucose F^18^")])
    dataset.RadiopharmaceuticalInformationSequence = Sequence([injection])


def add_pet_image(dataset: Dataset, scan: PetScan, slice_index: int, slope: float) -> None:
    """Fill PET image (PS3.3 C.8.9.4) of one slice: its slope, and when its bed position was scanned."""
    bed = slice_index // 20
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.RescaleSlope, dataset.RescaleIntercept = _slope_text(slope), "0"
    dataset.ImageIndex = slice_index + 1
    dataset.FrameReferenceTime = str(bed * 180_000 + 90_000)
    dataset.ActualFrameDuration = "180000"
    dataset.AcquisitionTime = (scan.started + timedelta(seconds=180 * bed)).strftime("%H%M%S")
    dataset.DecayFactor = f"{2.0 ** ((bed * 180 + 90) / HALF_LIFE_S):.6f}"


def _slope_text(slope: float) -> str:
    text = f"{slope:.10f}"[:16]
    return text if math.isclose(float(text), slope, rel_tol=DECIMAL_TOLERANCE) else decimal(slope)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
