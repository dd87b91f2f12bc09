"""The service from its image, with a small model that was never trained: what it reads without SimpleITK, and what it writes."""

import subprocess
import zipfile

import numpy as np
import pydicom
import pytest
import SimpleITK
from PIL import Image

from lesionflow.phantoms import write_phantoms
from support.container_engine import engine_or_skip, image_or_skip
from support.served_models import write_untrained_bundle
from support.servers import await_health, free_port

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Return a folder with a model, one study as a zip of DICOM files and, by another program, as a NIfTI, a NRRD and a packed MetaImage."""
    folder = tmp_path_factory.mktemp("served")
    write_untrained_bundle(folder / "bundle", {"CT": "ct"}, 7)
    write_phantoms(folder / "raw", n_cases=1, seed=3, file_format="dicom", modality="ct")
    (study,) = (folder / "raw/dicom").iterdir()
    with zipfile.ZipFile(folder / "study.zip", "w") as archive:
        for path in sorted(study.rglob("*.dcm")):
            archive.write(path, path.relative_to(study))
    reader = SimpleITK.ImageSeriesReader()
    places = {path.parent for path in study.rglob("*.dcm")}
    series = [reader.GetGDCMSeriesFileNames(str(at), one) for at in places for one in reader.GetGDCMSeriesIDs(str(at))]
    reader.SetFileNames(max(series, key=len))
    image = reader.Execute()
    for name in ("ct.nii.gz", "ct.nrrd", "ct.mha"):
        SimpleITK.WriteImage(image, str(folder / name), useCompression=name != "ct.nrrd")
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    for path in folder.parents:
        if not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    return folder


@pytest.fixture(scope="module")
def ask(studies):
    engine = engine_or_skip()
    port = free_port()
    options = (
        "--network=host",
        "--memory=3g",
        "--tmpfs=/home/lesionflow:rw,mode=1777",
        f"--volume={studies}:{studies}:ro",
    )
    command = ("python", "-m", "lesionflow.serving", f"--port={port}", f"--model={studies / 'bundle'}")
    with engine.started("lesionflow-formats", image_or_skip(engine, "serve"), *command, options=options):
        await_health(f"http://127.0.0.1:{port}/readyz")

        def asked(name, wanted):
            answer = studies / f"{name}-{wanted}{'.nii.gz' if wanted == 'nifti' else ''}"
            part = f"{'study' if name == 'study.zip' else 'CT'}=@{studies / name}"
            words = ["curl", "-sS", "--fail-with-body", "-F", part, "-o", str(answer)]
            subprocess.run([*words, f"http://127.0.0.1:{port}/v1/segment?format={wanted}"], check=True, timeout=600)
            return answer

        yield asked


@pytest.mark.parametrize("name", ["ct.nii.gz", "ct.nrrd", "ct.mha"])
def test_files_of_other_programs_are_read_as_the_dicom_that_they_were(ask, name):
    """By SimpleITK on both sides: the masks may lie in files of other orders of axes, but in the same places."""
    expected, found = (SimpleITK.ReadImage(str(ask(asked, "nifti"))) for asked in ("study.zip", name))
    placed = SimpleITK.Resample(found, expected, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor)
    labels = SimpleITK.GetArrayFromImage(expected)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(placed), labels)
    assert 0 < labels.mean() < 1


def test_what_is_written_other_readers_take(ask):
    labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(ask("study.zip", "nifti"))))
    segmentation = pydicom.dcmread(ask("study.zip", "dicom-seg"))
    assert segmentation.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.4"
    assert int(segmentation.pixel_array.sum()) == int((labels > 0).sum())
    outlines = pydicom.dcmread(ask("study.zip", "rtstruct"))
    assert outlines.SOPClassUID == "1.2.840.10008.5.1.4.1.1.481.3"
    assert len(outlines.StructureSetROISequence) == 1
    with Image.open(ask("study.zip", "png")) as picture:
        picture.verify()
