"""The picture; what is drawn where is shown by the contract test of the output formats."""

import SimpleITK as sitk

from lesionflow.prediction.study import predict_study


def test_the_picture_shows_the_channels(model, segmenter, study, tmp_path):
    predict_study(model, segmenter, study, tmp_path / "overlay.png", output_format="png")
    assert min(sitk.ReadImage(str(tmp_path / "overlay.png")).GetSize()) > 200
