"""From a study to a mask, against SimpleITK's and pydicom's view of the same files."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from lesionflow.errors import ConfigError, InputError
from lesionflow.prediction.study import predict_study, segment_study


def test_the_nifti_lies_on_the_grid_of_the_source(model, segmenter, study, series, tmp_path):
    report = predict_study(model, segmenter, study, tmp_path / "mask.nii.gz", output_format="nifti")
    image = sitk.ReadImage(str(tmp_path / "mask.nii.gz"))
    found = sitk.Resample(image, series, sitk.Transform(), sitk.sitkNearestNeighbor, 255)
    labels = sitk.GetArrayFromImage(found)
    assert image.GetNumberOfPixels() == series.GetNumberOfPixels()
    assert set(np.unique(labels)) == {0, 1}
    voxel_ml = np.prod(series.GetSpacing()) / 1000
    target = report.targets[0]
    assert target.volume_ml == pytest.approx((labels == 1).sum() * voxel_ml, rel=1e-4)
    assert target.n_lesions == lesions(found)


def test_a_zipped_study_gives_the_masks_of_its_folder(model, segmenter, study, tmp_path):
    zipped = Path(shutil.make_archive(str(tmp_path / "study"), "zip", study))
    for source in (study, zipped):
        predict_study(model, segmenter, source, tmp_path / f"{source.suffix}.dcm", output_format="dicom-seg")
    folder, archive = (pydicom.dcmread(tmp_path / name) for name in (".dcm", ".zip.dcm"))
    assert folder.PixelData == archive.PixelData
    assert folder.ReferencedSeriesSequence == archive.ReferencedSeriesSequence


def lesions(image):
    parts = sitk.ConnectedComponentImageFilter()
    parts.FullyConnectedOn()
    parts.Execute(image == 1)
    return parts.GetObjectCount()


def test_a_nifti_study_has_no_dicom_seg(model, segmenter, series, tmp_path):
    sitk.WriteImage(series, str(tmp_path / "ct.nii.gz"))
    with pytest.raises(InputError) as error:
        predict_study(model, segmenter, tmp_path / "ct.nii.gz", tmp_path / "mask.dcm", output_format="dicom-seg")
    assert error.value.reason == "source_is_not_dicom"
    assert [p.name for p in tmp_path.iterdir()] == ["ct.nii.gz"]


def test_the_mask_does_not_depend_on_names_of_files_or_folders(model, segmenter, study, tmp_path):
    scattered = tmp_path / "other"
    for number, path in enumerate(sorted((p for p in study.rglob("*") if p.is_file()), reverse=True)):
        place = scattered / str(number % 3) / f"{number}.ima"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    one, other = (segment_study(model, segmenter, folder) for folder in (study, scattered))
    np.testing.assert_array_equal(one.segmentation.mask.labels, other.segmentation.mask.labels)
    assert one.report().case_id == other.report().case_id


def test_an_unknown_format_is_refused(model, segmenter, study, tmp_path):
    with pytest.raises(ConfigError, match="dicom-seg"):
        segment_study(model, segmenter, study).write(tmp_path / "mask.bmp", "bmp")
