"""A CT of 512 x 512 x 800 from DICOM to DICOM SEG with the demonstration's 2D network: time and peak memory.

Run by `benchmarks.inference` in a process of its own: python -m benchmarks.large_ct FOLDER SPACING_MM
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from benchmarks.timing import peak_mb
from lesionflow.data.bundle import Bundle, Card
from lesionflow.data.dataset import Dataset as Declaration
from lesionflow.data.plan import ArchitecturePlan, ChannelPlan, InferencePlan, Plan
from lesionflow.inference import Segmenter
from lesionflow.models import build_model
from lesionflow.prediction.served_model import ServedModel
from lesionflow.prediction.study import segment_study

N_SLICES, N_PIXELS, PIXEL_MM, SLICE_MM = 800, 512, 0.8, 1.0
OPTIONS = {
    "base_channels": 16, "depth": 4, "normalization": "instance", "activation": "leaky_relu", "residual": False,
    "dropout_fraction": 0.0,
}  # fmt: skip


def write_study(folder: Path) -> None:
    """Write a body in air with a tumor, one file a slice."""
    rng = np.random.default_rng(0)
    study, series, frame = (generate_uid(entropy_srcs=["large", name]) for name in ("study", "series", "frame"))
    rows, columns = np.ogrid[-1 : 1 : N_PIXELS * 1j, -1 : 1 : N_PIXELS * 1j]
    body = (rows / 0.6) ** 2 + (columns / 0.8) ** 2 < 1
    for number in range(N_SLICES):
        plane = np.where(body, 40.0, -1000.0) + rng.normal(0, 12, body.shape)
        ball = (rows - 0.2) ** 2 + (columns - 0.3) ** 2 + ((number - 480) / 250) ** 2 < 0.08**2
        data = _slice(np.where(ball, 110.0, plane).astype("<i2"), number)
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, series, frame
        data.save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)


def _slice(pixels: np.ndarray, number: int) -> Dataset:
    meta, data = FileMetaDataset(), Dataset()
    data.SOPClassUID = meta.MediaStorageSOPClassUID = CTImageStorage
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["large", str(number)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta = meta
    data.PatientID, data.Modality, data.PatientName, data.PatientBirthDate, data.PatientSex = "LARGE", "CT", "", "", ""
    data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = "20260101", "000000", "1", ""
    data.ReferringPhysicianName, data.Manufacturer, data.PositionReferenceIndicator = "", "", ""
    data.SeriesNumber, data.InstanceNumber = 1, number + 1
    data.ImagePositionPatient = [-200.0, -200.0, number * SLICE_MM]
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [PIXEL_MM, PIXEL_MM], SLICE_MM
    data.Rows = data.Columns = N_PIXELS
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    data.RescaleIntercept, data.RescaleSlope = 0, 1
    data.PixelData = pixels.tobytes()
    return data


def make_model(spacing_mm: float) -> ServedModel:
    """Make the demonstration's network, untrained, at a spacing in plane."""
    plan = Plan(
        dataset=Declaration(name="large", channels={"CT": "ct"}, labels={"tumor": 1}, regions={}),
        dimensions=2,
        spacing_mm=(None, spacing_mm, spacing_mm),
        patch_size=(3, 96, 96),
        batch_size=12,
        context_slices=3,
        channels=(ChannelPlan(name="CT", kind="ct", lower=-150.0, upper=250.0, mean=20.0, std=80.0),),
        denoising="none",
        bias_field_correction=False,
        architecture=ArchitecturePlan(name="unet", options=OPTIONS),
        inference=InferencePlan(
            overlap_fraction=0.25, flip_axes=(), probability_threshold=0.5, min_lesion_ml=0.5, fill_holes=True
        ),
        decisions=(),
    )
    torch.manual_seed(0)
    network = build_model(plan.architecture, in_channels=3, out_channels=1, dimensions=2)
    card = Card(
        lesionflow_version="", code_revision="", data_revision="", run_id="", tracking_experiment="large",
        plan_sha256=plan.digest(), trained_cases=(), validation_cases=(), validation_dice=0.0, epochs=0, train_params={},
    )  # fmt: skip
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    return ServedModel("large", "0", Bundle(plan, weights, card))


def run(folder: Path, spacing_mm: float) -> None:
    """Print seconds and peak memory in MB."""
    model = make_model(spacing_mm)
    segmenter = Segmenter(model.bundle, device="cpu")
    began = time.perf_counter()
    prediction = segment_study(model, segmenter, folder)
    prediction.write(folder.parent / "mask.dcm", "dicom-seg")
    seconds = time.perf_counter() - began
    print(seconds, peak_mb())


if __name__ == "__main__":
    run(Path(sys.argv[1]), float(sys.argv[2]))
