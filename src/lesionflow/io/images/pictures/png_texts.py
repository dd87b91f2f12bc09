"""Texts inside a PNG (iTXt, PNG specification 11.3.4.5), and what tells its pixels from others'."""

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from lesionflow.io.images.pictures.raster import READ_FAULTS
from lesionflow.machine.faults import blame_machine


def hash_pixels(picture: bytes) -> str:
    """Return the sha256 over size and pixels (red, green, blue) of a picture, whatever it is packed as.

    Args:
        picture: The bytes of a picture file.
    """
    with Image.open(io.BytesIO(picture)) as image:
        pixels = np.asarray(image.convert("RGB"))
    return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()


def with_png_text(png: bytes, key: str, text: str) -> bytes:
    """Return a PNG with a text added: its pixels stay as they are.

    Args:
        png: The bytes of a PNG.
        key: What the text is called, 1 to 79 characters of Latin-1.
        text: ASCII.
    """
    texts, content = PngImagePlugin.PngInfo(), io.BytesIO()
    texts.add_itxt(key, text)
    with Image.open(io.BytesIO(png)) as image:
        image.save(content, format="PNG", pnginfo=texts, optimize=image.mode == "P")
    return content.getvalue()


def read_png_text(path: Path, key: str) -> str:
    """Return a text of a PNG; empty where it has none, or is no PNG.

    Args:
        path: The file.
        key: What the text is called.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            image.load()
            return str(getattr(image, "text", {}).get(key, ""))
    except READ_FAULTS as error:
        blame_machine(error)
        return ""
