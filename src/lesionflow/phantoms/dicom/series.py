"""CT, PET and MR series as DICOM files, one a slice."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, PositronEmissionTomographyImageStorage

from lesionflow.data.volume import Volume
from lesionflow.phantoms.dicom import modules
from lesionflow.phantoms.dicom.pet import PetScan, add_pet_image, add_pet_series, draw_pet_scan
from lesionflow.phantoms.patient import Patient
from lesionflow.phantoms.randomness import stream
from lesionflow.phantoms.study import PhantomStudy

FillSlice = Callable[[Dataset, int], None]
#: Repetition, echo and inversion time in ms of each MR sequence.
MR_TIMES_MS = {"T1": (550, 10, None), "T1c": (560, 11, None), "T2": (4200, 95, None), "FLAIR": (9000, 120, 2500)}


def write_images(folder: Path, study: PhantomStudy) -> None:
    """Write every channel of a study as a series.

    Args:
        folder: The study's folder; series go below it, or in some patients all files into it.
        study: The study.
    """
    flat = bool(stream(study.patient.seed, study.patient.index, "layout").random() < 0.25)
    for number, (channel, volume) in enumerate(study.channels.items(), 1):
        series = folder if flat else folder / f"{number}_{channel}"
        if channel == "CT":
            _write_ct(series, study.patient, volume, number)
        elif channel == "PET":
            _write_pet(series, study.patient, volume, number)
        else:
            _write_mr(series, study.patient, channel, volume, number)


def slice_datasets(study: PhantomStudy) -> list[Dataset]:
    """Return headers of the reference series in the order of the grid, as a segmentation refers to them."""
    channel, volume = next(iter(study.channels.items()))
    sop_class = CTImageStorage if channel == "CT" else MRImageStorage
    modality = "CT" if channel == "CT" else "MR"
    return [_slice(study.patient, sop_class, modality, channel, 1, volume, k) for k in range(volume.geometry.shape[0])]


def _write_ct(folder: Path, patient: Patient, volume: Volume, number: int) -> None:
    stored, bits = store_ct(patient, volume.array[0])
    _, _, _, slope, intercept = patient.scanner

    def fill(dataset: Dataset, k: int) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.RescaleSlope, dataset.RescaleIntercept = modules.decimal(slope), modules.decimal(intercept)
        dataset.RescaleType = "HU"
        dataset.KVP, dataset.XRayTubeCurrent, dataset.ExposureTime = "120", 200, 500
        dataset.ConvolutionKernel = "STANDARD"
        dataset.WindowCenter, dataset.WindowWidth = "40", "400"
        modules.add_pixels(dataset, stored[k], bits)

    _write_series(folder, patient, (CTImageStorage, "CT", "CT", number), volume, fill)


def _write_pet(folder: Path, patient: Patient, volume: Volume, number: int) -> None:
    scan = draw_pet_scan(patient)

    def fill(dataset: Dataset, k: int) -> None:
        add_pet_series(dataset, patient, scan, volume.geometry.shape[0])
        stored, slope = store_pet(volume.array[0, k], scan)
        add_pet_image(dataset, scan, k, slope)
        modules.add_pixels(dataset, stored)

    _write_series(folder, patient, (PositronEmissionTomographyImageStorage, "PT", "PET", number), volume, fill)


def _write_mr(folder: Path, patient: Patient, channel: str, volume: Volume, number: int) -> None:
    repetition, echo, inversion = MR_TIMES_MS[channel]

    def fill(dataset: Dataset, k: int) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
        dataset.ScanningSequence = "IR" if inversion else "SE"
        dataset.SequenceVariant, dataset.ScanOptions, dataset.MRAcquisitionType = "SK", "", "2D"
        dataset.RepetitionTime, dataset.EchoTime, dataset.EchoTrainLength = str(repetition), str(echo), 1
        if inversion:
            dataset.InversionTime = str(inversion)
        if channel == "T1c":
            dataset.ContrastBolusAgent = "Gadolinium"
        dataset.MagneticFieldStrength = "3"
        modules.add_pixels(dataset, np.clip(np.rint(volume.array[0, k]), 0, 4095).astype(np.uint16), 12)

    _write_series(folder, patient, (MRImageStorage, "MR", channel, number), volume, fill)


def store_ct(patient: Patient, hu: NDArray[np.float32]) -> tuple[NDArray[np.signedinteger | np.unsignedinteger], int]:
    """Return what the patient's scanner stores of HU values, and of how many bits it is."""
    _, _, kind, slope, intercept = patient.scanner
    stored = np.rint((hu - intercept) / slope)
    if kind == "uint16":
        return np.clip(stored, 0, 65535 if slope < 1 else 4095).astype(np.uint16), 16 if slope < 1 else 12
    return np.clip(stored, -32768, 32767).astype(np.int16), 16


def store_pet(suv: NDArray[np.float32], scan: PetScan) -> tuple[NDArray[np.signedinteger], float]:
    """Return what a scanner stores of one PET slice, and its rescale slope: each slice has its own."""
    values = suv * scan.units_per_suv
    slope = float(modules.decimal(max(float(values.max()), 1e-3) / 32767 * 1.0001))
    return np.clip(np.rint(values / slope), 0, 32767).astype(np.int16), slope


def _slice(
    patient: Patient, sop_class: str, modality: str, series: str, number: int, volume: Volume, k: int
) -> Dataset:
    dataset = modules.new_object(patient, sop_class, modules.instance_uid(patient, series, k))
    modules.add_series(dataset, patient, modality, series, number)
    modules.add_plane(dataset, volume.geometry, k)
    dataset.AcquisitionNumber = 1
    dataset.AcquisitionDate = dataset.ContentDate = patient.study_date
    dataset.AcquisitionTime = dataset.ContentTime = patient.study_time
    dataset.Rows, dataset.Columns = volume.geometry.shape[1:]
    dataset.InstanceNumber = _instance_number(patient, k, volume.geometry.shape[0])
    return dataset


def _instance_number(patient: Patient, k: int, n_slices: int) -> int:
    """Number slices from the feet in some patients, from the head in others."""
    from_the_head = stream(patient.seed, patient.index, "numbering").random() < 0.5
    return n_slices - k if from_the_head else k + 1


def _write_series(
    folder: Path, patient: Patient, series: tuple[str, str, str, int], volume: Volume, fill: FillSlice
) -> None:
    sop_class, modality, name, number = series
    names = _file_names(patient, name, volume.geometry.shape[0])
    for k, file_name in enumerate(names):
        dataset = _slice(patient, sop_class, modality, name, number, volume, k)
        fill(dataset, k)
        modules.save(dataset, folder / file_name)


def _file_names(patient: Patient, series: str, n_slices: int) -> list[str]:
    """Name files in one of three ways, in an order that has nothing to do with where the slices lie."""
    rng = stream(patient.seed, patient.index, f"file names {series}")
    order = rng.permutation(n_slices)
    style = int(rng.integers(0, 3))
    if style == 0:
        return [f"{series}_{number:04d}.dcm" for number in order]
    if style == 1:
        return [f"{series}{number:05d}" for number in order]
    return [f"{modules.instance_uid(patient, series, k)}.dcm" for k in range(n_slices)]
