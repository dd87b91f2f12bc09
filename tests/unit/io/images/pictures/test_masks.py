import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from lesionflow.errors import RasterError
from lesionflow.io.images.pictures.masks import read_picture_mask
from lesionflow.io.notes import collected
from support.pictures import save_palette, save_png, save_tiff

SHAPE = (40, 56)
VALUES = np.arange(40 * 56, dtype=np.uint16).reshape(SHAPE) % 251
DISC = (np.indices(SHAPE)[0] - 17) ** 2 + (np.indices(SHAPE)[1] - 31) ** 2 < 13**2
CORNER = (np.indices(SHAPE)[0] < 4) & (np.indices(SHAPE)[1] < 5)


def save(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def refusal(call):
    with pytest.raises(RasterError, match="c-1") as caught:
        call()
    return caught.value.reason


class TestMask:
    def read(self, path, labels=(1,)):
        return read_picture_mask(path, labels, name="c-1").labels[0]

    @pytest.mark.parametrize("inside", [1, 255])
    def test_two_values(self, tmp_path, inside):
        labels = self.read(save(tmp_path / "a.png", DISC * np.uint8(inside)))
        np.testing.assert_array_equal(labels, DISC * inside)

    @pytest.mark.parametrize(("name", "options"), [("a.jpg", {}), ("a.tif", {"compression": "jpeg"})])
    def test_small_numbers_do_not_survive_a_jpeg(self, tmp_path, name, options):
        block = np.zeros(SHAPE, dtype=np.uint8)
        block[10:20, 20:50] = 1
        path = save(tmp_path / name, block, **options)
        with Image.open(path) as image:
            pixels = np.asarray(image)
        assert set(np.unique(pixels).tolist()) == {0, 1}
        assert not np.array_equal(pixels, block)
        assert refusal(lambda: self.read(path)) == "blurred_mask"
        assert refusal(lambda: self.read(path, (1, 2))) == "blurred_mask"
        np.testing.assert_array_equal(self.read(save(tmp_path / f"black_{name}", block * np.uint8(0), **options)), 0)

    def test_a_jpeg_of_few_values_near_black_and_white_is_told_apart_at_half(self, tmp_path):
        values = np.zeros(SHAPE, dtype=np.uint8)
        values[8:24, 16:48] = 250
        np.testing.assert_array_equal(self.read(save(tmp_path / "a.jpg", values, quality=100)), 255 * (values > 0))

    def test_labels(self, tmp_path):
        values = DISC * np.uint8(2) + (VALUES == 0)
        np.testing.assert_array_equal(self.read(save(tmp_path / "a.png", values), (1, 2, 3)), values)

    def test_a_bit(self, tmp_path):
        np.testing.assert_array_equal(self.read(save(tmp_path / "a.png", DISC * np.uint8(255), "1")) > 0, DISC)

    @pytest.mark.parametrize("color", [(255, 255, 255), (255, 0, 0), (0, 0, 255), (0, 255, 255)])
    @pytest.mark.parametrize("ending", ["jpg", "png"])
    def test_one_structure_in_any_color_also_lossy(self, tmp_path, color, ending):
        """Pure red is darker than half in gray: a mask in red must not come out empty."""
        array = DISC[..., None] * np.array(color, np.uint8)
        labels = self.read(save(tmp_path / f"a.{ending}", array))
        edge = ndimage.binary_dilation(DISC, iterations=2) & ~ndimage.binary_erosion(DISC, iterations=2)
        np.testing.assert_array_equal((labels > 0)[~edge], DISC[~edge])
        assert set(np.unique(labels)) == {0, 255}

    def test_an_empty_mask_is_empty(self, tmp_path):
        assert not self.read(save(tmp_path / "a.jpg", np.zeros(SHAPE, np.uint8))).any()

    def test_several_colors_are_refused(self, tmp_path):
        array = DISC[..., None] * np.array((255, 0, 0), np.uint8)
        array[:, :30] = DISC[:, :30, None] * np.array((0, 255, 0), np.uint8)
        for ending in ("png", "jpg"):
            path = save(tmp_path / f"a.{ending}", array)
            assert refusal(lambda path=path: self.read(path)) == "several_colors"

    def test_lossy_labels_are_refused(self, tmp_path):
        path = save(tmp_path / "a.jpg", DISC * np.uint8(255) - (DISC & (VALUES % 2 == 0)) * np.uint8(127), quality=50)
        assert refusal(lambda: self.read(path)) == "blurred_mask"

    def test_values_that_nobody_declared_are_refused(self, tmp_path):
        path = save(tmp_path / "a.png", DISC * np.uint8(3))
        assert refusal(lambda: self.read(path)) == "unknown_label"
        sixteen = save(tmp_path / "b.png", (DISC * 300).astype(np.uint16))
        assert refusal(lambda: self.read(sixteen)) == "unknown_label"

    def test_white_in_two_bytes_is_inside(self, tmp_path):
        path = save(tmp_path / "a.png", (DISC * 65535).astype(np.uint16))
        np.testing.assert_array_equal(self.read(path) > 0, DISC)
        assert refusal(lambda: self.read(path, (1, 2))) == "unknown_label"

    @pytest.mark.parametrize(("color", "n"), [(2, 3), (4, 2)])
    def test_labels_in_two_bytes_are_whole(self, tmp_path, color, n):
        samples = np.dstack([DISC * 2 + CORNER] * 3)[..., :n].astype(np.uint16)
        samples[..., 1:] = samples[..., 1:] if color == 2 else 65535
        np.testing.assert_array_equal(
            self.read(save_png(tmp_path / "a.png", samples, 16, color), (1, 2)), DISC * 2 + CORNER
        )

    @pytest.mark.parametrize("bits", [2, 4])
    def test_labels_of_few_bits_are_what_is_stored(self, tmp_path, bits):
        path = save_png(tmp_path / "a.png", (DISC * 2 + CORNER).astype(np.uint8), bits, 0)
        np.testing.assert_array_equal(self.read(path, (1, 2)), DISC * 2 + CORNER)
        white = save_png(tmp_path / "b.png", DISC * np.uint8(2**bits - 1), bits, 0)
        np.testing.assert_array_equal(self.read(white) > 0, DISC)

    def test_zero_that_is_white_is_inside_where_it_is_the_lesser_part(self, tmp_path):
        path = save_tiff(tmp_path / "a.tif", (~DISC * 255).astype(np.uint8), photometric=0)
        np.testing.assert_array_equal(self.read(path) > 0, DISC)
        other = save_tiff(tmp_path / "b.tif", (DISC * 255).astype(np.uint8), photometric=0)
        assert refusal(lambda: self.read(other)) == "inverted_mask"
        labels = save_tiff(tmp_path / "c.tif", (DISC * 2 + CORNER).astype(np.uint8), photometric=0)
        np.testing.assert_array_equal(self.read(labels, (1, 2)), DISC * 2 + CORNER)
        deep = save_tiff(tmp_path / "d.tif", (DISC * 2 + CORNER).astype(np.uint16), photometric=0)
        np.testing.assert_array_equal(self.read(deep, (1, 2)), DISC * 2 + CORNER)

    def test_doubles_that_are_labels(self, tmp_path):
        path = save_tiff(tmp_path / "a.tif", DISC * 1.0, sample_format=3)
        np.testing.assert_array_equal(self.read(path), DISC)

    def test_few_pixels_of_another_color_are_no_noise_of_compression(self, tmp_path):
        path = save(tmp_path / "a.png", np.dstack([DISC * 1, CORNER * 1, DISC * 0]).astype(np.uint8))
        assert refusal(lambda: self.read(path, (1, 2))) == "several_colors"

    def test_a_palette_is_read_by_its_meaning(self, tmp_path):
        """The rule itself is tested in test_palettes."""
        path = save_palette(tmp_path / "a.png", (~DISC).astype(np.uint8), [255, 255, 255, 0, 0, 0])
        np.testing.assert_array_equal(self.read(path) > 0, DISC)

    @pytest.mark.parametrize(
        ("ending", "color", "called"),
        [
            ("png", (255, 0, 0), "red"),
            ("jpg", (255, 0, 0), "red"),
            ("png", (255, 128, 0), "orange"),
            ("png", (255, 255, 255), None),
            ("jpg", (255, 255, 255), None),
        ],
    )
    def test_the_color_is_said(self, tmp_path, color, called, ending):
        path = save(tmp_path / f"a.{ending}", DISC[..., None] * np.array(color, np.uint8))
        with collected() as notes:
            self.read(path)
        assert [n.message.rpartition(": ")[2] for n in notes if n.code == "mask_color"] == ([called] if called else [])

    def test_a_class_of_a_table_that_nobody_declared_is_refused(self, tmp_path):
        voc = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
        path = save_palette(tmp_path / "a.png", DISC * np.uint8(3), voc)
        assert refusal(lambda: self.read(path)) == "unknown_label"
        void = voc + [64, 0, 0] * 251 + [224, 224, 192]
        border = save_palette(tmp_path / "b.png", DISC * np.uint8(255), void)
        assert refusal(lambda: self.read(border)) == "unknown_label"
