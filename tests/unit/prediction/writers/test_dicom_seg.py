"""The DICOM SEG of a phantom, against pydicom's and SimpleITK's view of it."""

import numpy as np
import pydicom
import SimpleITK as sitk

from lesionflow.prediction.study import predict_study


def test_the_dicom_seg_marks_the_places_that_the_nifti_marks(model, segmenter, study, tmp_path):
    predict_study(model, segmenter, study, tmp_path / "mask.nii.gz", output_format="nifti")
    predict_study(model, segmenter, study, tmp_path / "mask.dcm", output_format="dicom-seg")
    seg = pydicom.dcmread(tmp_path / "mask.dcm")
    image = sitk.ReadImage(str(tmp_path / "mask.nii.gz"))
    labels = sitk.GetArrayFromImage(image)
    shared = seg.SharedFunctionalGroupsSequence[0]
    cosines = np.reshape(shared.PlaneOrientationSequence[0].ImageOrientationPatient, (2, 3)).astype(float)
    row_mm, column_mm = (float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing)
    frames = seg.pixel_array if seg.pixel_array.ndim == 3 else seg.pixel_array[None]
    total = 0
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        corner = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        for row, column in np.argwhere(frame)[::97]:
            place = corner + row * row_mm * cosines[1] + column * column_mm * cosines[0]
            x, y, z = image.TransformPhysicalPointToIndex([float(v) for v in place])
            assert labels[z, y, x] == 1
        total += int(frame.sum())
    assert total == labels.sum()
    identification = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert identification.AlgorithmVersion == f"phantoms {model.version} {model.bundle.digest[:12]}"
