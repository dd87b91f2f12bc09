"""A text inside a PNG, as Pillow and the file's own chunks show it."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from lesionflow.io.images.pictures.png_texts import hash_pixels, read_png_text, with_png_text

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def packed(form="PNG", **how):
    content = io.BytesIO()
    Image.fromarray(PIXELS).save(content, format=form, **how)
    return content.getvalue()


def test_a_text_is_added_and_no_pixel_changed(tmp_path):
    made = with_png_text(packed(), "key", "told")
    assert b"iTXtkey\0" in made
    with Image.open(io.BytesIO(made)) as image:
        assert image.text == {"key": "told"}
        assert np.array_equal(np.asarray(image), PIXELS)
    (tmp_path / "a.png").write_bytes(made)
    assert read_png_text(tmp_path / "a.png", "key") == "told"
    assert read_png_text(tmp_path / "a.png", "other") == ""
    # Pillow keeps no text unless it is told to.
    with Image.open(tmp_path / "a.png") as image:
        image.save(tmp_path / "again.png")
    assert read_png_text(tmp_path / "again.png", "key") == ""


def test_pixels_are_hashed_and_not_how_they_are_packed():
    by_hand = hashlib.sha256(b"(2, 3, 3)" + PIXELS.tobytes()).hexdigest()
    assert {hash_pixels(packed()), hash_pixels(packed(optimize=True)), hash_pixels(packed("BMP"))} == {by_hand}


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n broken", packed("JPEG")])
def test_what_is_no_png_says_nothing(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    assert read_png_text(tmp_path / "a.png", "key") == ""
