"""Sets of phantoms on disk: images and outlines in one tree, the truth in another.

::

    dicom/<PatientID>/<study>/...       or  nifti/{imagesTr,labelsTr,dataset.json}  or  png/{images,masks}
    truth/<PatientID>.nii.gz            labels on the reference channel's grid
    truth/truth.json                    `PhantomTruth` of every patient
"""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

from pydicom.uid import CTImageStorage, MRImageStorage

from lesionflow.errors import ConfigError
from lesionflow.phantoms.dicom.rtstruct import write_rtstruct
from lesionflow.phantoms.dicom.seg import write_segmentation
from lesionflow.phantoms.dicom.series import write_images
from lesionflow.phantoms.patient import Modality
from lesionflow.phantoms.plain_files import Outlines, write_nifti, write_png
from lesionflow.phantoms.study import PhantomStudy, make_study
from lesionflow.phantoms.truth import TRUTH, PhantomTruth, describe_truth, update_table, write_image

FileFormat = Literal["dicom", "nifti", "png"]
Progress = Callable[[int, int], None]


def write_phantoms(
    out: Path,
    *,
    n_cases: int,
    seed: int,
    file_format: FileFormat = "dicom",
    modality: Modality = "ct",
    outlines: Outlines = "both",
    first: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[PhantomTruth]:
    """Write synthetic patients with their truth.

    Patient number i depends on `seed` and i alone: more can be added later with `first`. The same arguments give the
    same bytes of every file.

    Args:
        out: The set's folder; `dicom` (or `nifti`, `png`) and `truth` are made in it.
        n_cases: How many patients.
        seed: Any whole number.
        file_format: `dicom` series, `nifti` in nnU-Net's raw layout, or `png` slices.
        modality: `ct`, `petct` (CT and PET) or `mr4` (T1, T1c, T2, FLAIR of a head).
        outlines: Of DICOM: RT structure set, segmentation, or `both`: one in even patients, the other in odd ones.
        first: Number of the first patient.
        workers: Processes to draw with.
        progress: Called with how many patients are done and how many there will be.

    Returns:
        The truth of each patient written.

    Raises:
        ConfigError: When there is nobody to make.
    """
    if n_cases < 1 or first < 0:
        raise ConfigError(f"Expected at least one patient, numbered from 0, found {n_cases} from number {first}.")
    draw = partial(_write_patient, out, seed, modality, file_format, outlines)
    # Each patient in nnU-Net's layout counts the others for dataset.json.
    n_processes = 1 if file_format == "nifti" else workers
    truths = []
    for truth in _each(draw, range(first, first + n_cases), n_processes):
        truths.append(truth)
        if progress is not None:
            progress(len(truths), n_cases)
    update_table(out / "truth" / TRUTH, truths)
    return truths


def _each(draw: Callable[[int], PhantomTruth], numbers: range, workers: int) -> Iterator[PhantomTruth]:
    if workers == 1 or len(numbers) == 1:
        yield from map(draw, numbers)
        return
    with ProcessPoolExecutor(min(workers, len(numbers)), mp_context=get_context("forkserver")) as pool:
        yield from pool.map(draw, numbers)


def _write_patient(
    out: Path, seed: int, modality: Modality, file_format: FileFormat, outlines: Outlines, index: int
) -> PhantomTruth:
    study = make_study(seed, index, modality)
    write = {"dicom": _write_dicom, "nifti": write_nifti, "png": write_png}[file_format]
    place, kind = write(out, study, outlines)
    truth = describe_truth(study, place=place, outlines=kind)
    write_image(out / truth.mask, study.truth.labels, study.truth.geometry)
    return truth


def _write_dicom(out: Path, study: PhantomStudy, outlines: Outlines) -> tuple[str, str]:
    patient = study.patient
    channel = next(iter(study.channels))
    sop_class = CTImageStorage if channel == "CT" else MRImageStorage
    kind = ("rtstruct", "seg")[patient.index % 2] if outlines == "both" else outlines
    place = f"dicom/{patient.patient_id}"
    unfinished = out / f".partial-{patient.patient_id}"
    shutil.rmtree(unfinished, ignore_errors=True)
    study_folder = unfinished / f"study_{patient.study_date}"
    write_images(study_folder, study)
    if kind == "seg":
        write_segmentation(study_folder / "91_SEG" / "SEG.dcm", study)
    else:
        write_rtstruct(study_folder / "90_RTSTRUCT" / "RS.dcm", study, sop_class, channel)
    final = out / place
    final.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(final, ignore_errors=True)
    unfinished.rename(final)
    return place, kind
