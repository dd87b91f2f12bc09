"""The NIfTI mask; where its voxels lie is shown by the contract test of the output formats."""

import gzip

import nibabel
import numpy as np

from lesionflow.prediction.study import segment_study
from lesionflow.prediction.writers.nifti import WRITER


def test_a_mask_is_packed_labels_of_one_byte_and_the_same_bytes_each_time(model, segmenter, study, tmp_path):
    prediction = segment_study(model, segmenter, study)
    for name in ("one", "two"):
        WRITER.write(tmp_path / name / "mask.nii.gz", prediction)
    one, two = ((tmp_path / name / "mask.nii.gz").read_bytes() for name in ("one", "two"))
    assert one == two
    assert gzip.decompress(one)[344:348] == b"n+1\0", "one file of header and voxels"
    image = nibabel.load(tmp_path / "one" / "mask.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert (np.asarray(image.dataobj) > 0).sum() == (prediction.segmentation.mask.labels > 0).sum() > 0
