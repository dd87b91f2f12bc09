import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from lesionflow.errors import RasterError
from lesionflow.io.images.pictures.raster import read_picture, require_turned_alike
from support.pictures import save_tiff

SHAPE = (40, 56)
VALUES = np.arange(40 * 56, dtype=np.uint16).reshape(SHAPE) % 251
DISC = (np.indices(SHAPE)[0] - 17) ** 2 + (np.indices(SHAPE)[1] - 31) ** 2 < 13**2


def save(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def refusal(call):
    with pytest.raises(RasterError, match="c-1") as caught:
        call()
    return caught.value.reason


def colored():
    return np.stack([VALUES, VALUES[::-1], VALUES[:, ::-1]], axis=-1).astype(np.uint8)


class TestPicture:
    @pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
    def test_gray_values_are_those_stored(self, tmp_path, ending):
        volumes = read_picture(save(tmp_path / f"a.{ending}", VALUES.astype(np.uint8)), name="c-1")
        assert set(volumes) == {"gray"}
        np.testing.assert_array_equal(volumes["gray"].array[0, 0], VALUES)
        geometry = volumes["gray"].geometry
        assert (geometry.shape, geometry.spacing_known) == ((1, *SHAPE), False)

    @pytest.mark.parametrize("ending", ["png", "tif"])
    def test_sixteen_bits_are_kept(self, tmp_path, ending):
        values = (VALUES * 261).astype(np.uint16)
        volumes = read_picture(save(tmp_path / f"a.{ending}", values), name="c-1")
        np.testing.assert_array_equal(volumes["gray"].array[0, 0], values)

    def test_floats_are_kept(self, tmp_path):
        values = VALUES.astype(np.float32) / 7 - 3
        np.testing.assert_array_equal(
            read_picture(save(tmp_path / "a.tif", values), name="c-1")["gray"].array[0, 0], values
        )

    @pytest.mark.parametrize("mode", ["RGB", "RGBA"])
    def test_colors_are_channels_and_gray_their_luma(self, tmp_path, mode):
        volumes = read_picture(save(tmp_path / "a.png", colored(), mode), name="c-1")
        for number, color in enumerate(("red", "green", "blue")):
            np.testing.assert_array_equal(volumes[color].array[0, 0], colored()[..., number])
        luma = colored() @ np.array([0.299, 0.587, 0.114])
        assert np.abs(volumes["gray"].array[0, 0] - luma).max() <= 1

    def test_a_palette_is_looked_up(self, tmp_path):
        image = Image.fromarray((VALUES % 3).astype(np.uint8), mode="P")
        image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
        image.save(tmp_path / "a.png")
        volumes = read_picture(tmp_path / "a.png", name="c-1")
        np.testing.assert_array_equal(volumes["green"].array[0, 0], 20 + 30.0 * (VALUES % 3))

    def test_a_turned_photo_is_read_as_viewers_show_it(self, tmp_path):
        image = Image.fromarray(VALUES.astype(np.uint8))
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(tmp_path / "a.png", exif=exif)
        # Orientation 6: the first row is the right-hand side.
        np.testing.assert_array_equal(
            read_picture(tmp_path / "a.png", name="c-1")["gray"].array[0, 0], np.rot90(VALUES, -1)
        )

    def test_transparent_pixels_are_refused(self, tmp_path):
        array = np.dstack([colored(), np.full(SHAPE, 255, np.uint8)])
        array[3, 4, 3] = 0
        assert refusal(lambda: read_picture(save(tmp_path / "a.png", array), name="c-1")) == "transparent_picture"

    def test_several_pages_are_refused(self, tmp_path):
        pages = [Image.fromarray(VALUES.astype(np.uint8))] * 3
        pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
        assert refusal(lambda: read_picture(tmp_path / "a.tif", name="c-1")) == "several_pages"

    def test_pages_are_not_counted(self, tmp_path, monkeypatch):
        pages = [Image.fromarray(VALUES.astype(np.uint8))] * 9
        pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
        sought = []
        real = TiffImageFile._seek
        monkeypatch.setattr(TiffImageFile, "_seek", lambda self, n: (sought.append(n), real(self, n))[1])
        assert refusal(lambda: read_picture(tmp_path / "a.tif", name="c-1")) == "several_pages"
        assert max(sought) == 1

    def test_what_is_no_picture_is_refused(self, tmp_path):
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
        assert refusal(lambda: read_picture(tmp_path / "a.png", name="c-1")) == "unreadable_picture"
        whole = save(tmp_path / "b.png", colored()).read_bytes()
        (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
        assert refusal(lambda: read_picture(tmp_path / "b.png", name="c-1")) == "unreadable_picture"

    def test_numbers_that_are_none_are_refused(self, tmp_path):
        values = np.full(SHAPE, np.nan, np.float32)
        assert refusal(lambda: read_picture(save(tmp_path / "a.tif", values), name="c-1")) == "non_finite_voxels"

    @pytest.mark.parametrize(
        ("orientation", "square", "refused"), [(1, True, False), (3, False, True), (6, True, True), (6, False, False)]
    )
    def test_a_mask_that_is_not_turned_with_its_image_is_refused_where_sizes_say_nothing(
        self, tmp_path, orientation, square, refused
    ):
        exif = Image.Exif()
        exif[0x0112] = orientation
        array = np.zeros((40, 40 if square else 56), np.uint8)
        image, mask = save(tmp_path / "a.png", array, exif=exif), save(tmp_path / "b.png", array)
        require_turned_alike(image, [image], name="c-1")
        if refused:
            assert refusal(lambda: require_turned_alike(mask, [image], name="c-1")) == "turned_picture"
        if refused:
            assert refusal(lambda: require_turned_alike(image, [mask], name="c-1")) == "turned_picture"
        else:
            require_turned_alike(image, [mask], name="c-1")

    def test_what_runs_as_a_program_is_no_picture(self, tmp_path):
        Image.fromarray(colored()).save(tmp_path / "a.eps")
        (tmp_path / "a.eps").rename(tmp_path / "a.png")
        assert refusal(lambda: read_picture(tmp_path / "a.png", name="c-1")) == "unreadable_picture"

    def test_signed_bytes_are_refused(self, tmp_path):
        path = save_tiff(tmp_path / "a.tif", VALUES.astype(np.int8), sample_format=2)
        assert refusal(lambda: read_picture(path, name="c-1")) == "unsupported_samples"

    def test_one_picture_is_a_gif(self, tmp_path):
        values = (VALUES % 200).astype(np.uint8)
        np.testing.assert_array_equal(
            read_picture(save(tmp_path / "a.gif", values), name="c-1")["gray"].array[0, 0], values
        )
