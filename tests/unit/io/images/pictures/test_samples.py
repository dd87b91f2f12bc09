import sys

import numpy as np
import pytest
import tifffile

from lesionflow.errors import RasterError
from lesionflow.io.images.pictures.samples import Samples, decode_whole, read_samples
from support.pictures import save, save_palette, save_png, save_tiff

DEEP = (np.arange(6 * 9, dtype=np.uint16) * 1201).reshape(6, 9)
COLORED = np.dstack([DEEP, DEEP[::-1], DEEP[:, ::-1]])


def test_headers_say_how_samples_are_stored(tmp_path):
    assert read_samples(save_png(tmp_path / "a.png", COLORED, 16, 2)) == Samples(9, 6, 16, 3, "unsigned")
    assert read_samples(save_palette(tmp_path / "b.png", DEEP % 2, [0, 0, 0, 9, 9, 9]))[3:] == (1, "palette", False)
    path = save_tiff(tmp_path / "c.tif", DEEP / 2.0, sample_format=3, photometric=0)
    assert read_samples(path) == Samples(9, 6, 64, 1, "float", white_is_zero=True)
    assert read_samples(save(tmp_path / "d.jpg", DEEP.astype(np.uint8))) is None
    (tmp_path / "e.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert read_samples(tmp_path / "e.png") is None


@pytest.mark.parametrize(
    ("bits", "n", "cut"), [(8, 3, False), (16, 1, False), (16, 3, True), (32, 1, False), (64, 1, True)]
)
def test_what_pillow_cuts(bits, n, cut):
    assert Samples(1, 1, bits, n, "unsigned").is_cut_by_pillow == cut


def test_samples_are_whole_and_colors_in_order(tmp_path):
    for path in (
        save_png(tmp_path / "a.png", COLORED, 16, 2),
        save_png(tmp_path / "b.png", np.dstack([COLORED, np.full_like(DEEP, 65535)]), 16, 6),
        save_tiff(tmp_path / "c.tif", COLORED, photometric=2),
    ):
        np.testing.assert_array_equal(decode_whole(path, read_samples(path), name="c-1"), COLORED)
    # By another program's file: big-endian, packed.
    tifffile.imwrite(tmp_path / "d.tif", COLORED, photometric="rgb", byteorder=">", compression="zlib")
    path = tmp_path / "d.tif"
    np.testing.assert_array_equal(decode_whole(path, read_samples(path), name="c-1"), COLORED)
    path = save_png(tmp_path / "e.png", np.dstack([DEEP, np.full_like(DEEP, 65535)]), 16, 4)
    np.testing.assert_array_equal(decode_whole(path, read_samples(path), name="c-1"), DEEP)


def test_transparent_and_broken_ones_are_refused(tmp_path):
    path = save_png(tmp_path / "a.png", np.dstack([DEEP, DEEP]), 16, 4)
    with pytest.raises(RasterError, match="c-1") as caught:
        decode_whole(path, read_samples(path), name="c-1")
    assert caught.value.reason == "transparent_picture"
    path = save_png(tmp_path / "b.png", COLORED, 16, 2)
    samples = read_samples(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RasterError, match="c-1") as caught:
        decode_whole(path, samples, name="c-1")
    assert caught.value.reason == "unreadable_picture"


def test_without_opencv_deep_pictures_are_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    path = save_png(tmp_path / "a.png", COLORED, 16, 2)
    with pytest.raises(RasterError, match="OpenCV") as refused:
        decode_whole(path, read_samples(path), name="c-1")
    assert refused.value.reason == "unreadable_picture"
