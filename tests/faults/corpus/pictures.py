"""Pictures: palettes, depths, orientations."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from faults.corpus.fault import GRAY, Fault, Right, Sent, ingest_section
from support import pictures as made

ONE = ingest_section(GRAY, {"tumor": 1})
TWO = ingest_section(GRAY, {"liver": 1, "tumor": 2})
DISC, CORNER = made.DISC, made.CORNER
N_DISC, N_CORNER = 517, 20
#: The first colors of Pascal VOC.
VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
DEEP = (made.ROWS * 56 + made.COLUMNS).astype(np.uint16)


def _pair(mask: Callable[[Path], object], ending: str = "png", image: Callable[[Path], object] | None = None) -> Any:
    def make(folder: Path) -> None:
        (image or (lambda path: made.save(path, made.GRAY)))(folder / "images" / "a.png")
        mask(folder / "masks" / f"a.{ending}")

    return make


def _image(write: Callable[[Path], object], name: str = "a.png") -> Any:
    def make(folder: Path) -> None:
        write(folder / "images" / name)
        made.save(folder / "masks" / "a.png", DISC)

    return make


def _turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    made.save(path, made.GRAY, exif=exif)


def _adaptive(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    index = (~DISC).astype(np.uint8)
    made.save_palette(path, index, [255, 255, 255, 0, 0, 0])


def _red_and_green(folder: Path) -> None:
    for name, drawn, color in (("a", DISC, (255, 0, 0)), ("b", CORNER, (0, 255, 0))):
        made.save(folder / "images" / f"{name}.png", made.GRAY + np.uint8(name == "b"))
        made.save(folder / "masks" / f"{name}.png", drawn[..., None] * np.array(color, np.uint8))


def _cmyk(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(made.GRAY).convert("CMYK").save(path, format="JPEG")


def _labels_in_a_jpeg(folder: Path) -> None:
    made.save(folder / "images" / "a.png", made.GRAY)
    block = np.zeros(DISC.shape, dtype=np.uint8)
    block[10:20, 20:50] = 1
    made.save(folder / "masks" / "a.jpg", block)


def _fault(
    name: str,
    source: str,
    met: str,
    answer: str,
    make: Callable[[Path], object],
    right: Right,
    *,
    sent: Sent | None = None,
    ingest: Mapping[str, Any] = ONE,
) -> Fault:
    return Fault(name, source, met, answer, make, right, sent, ingest, preset="nuclei_2d")


SMALLER = Right(refused=("geometry_mismatch",))
READ = Right(voxels={"tumor": N_DISC}, n_cases=1, rejected=())
FAULTS = (
    _fault(
        "palette-of-white-and-black",
        "",
        "A mask saved with an adaptive palette has white as index 0, and comes out as its complement.",
        "Black and white are read by what is seen: 517 pixels, not 1723.",
        _pair(_adaptive),
        READ,
    ),
    _fault(
        "mask-of-half-the-size",
        "",
        "Masks were resized and pictures were not: laid on one another by index they lie in the corner.",
        "Refused: a picture has no place, so another size is another picture.",
        _pair(lambda path: made.save(path, DISC[::2, ::2])),
        SMALLER,
    ),
    _fault(
        "labels-in-a-jpeg",
        "",
        "Labels 0 and 1 were saved as JPEG: compression moved their border by pixels, and each was still a label.",
        "Refused (`blurred_mask`): only black and white survive a JPEG.",
        _labels_in_a_jpeg,
        Right(refused=("blurred_mask",)),
    ),
    _fault(
        "mask-a-pixel-smaller",
        "",
        "A pixel was cut from the mask, at which side is unknown.",
        "Refused: `geometry_mismatch`.",
        _pair(lambda path: made.save(path, DISC[1:, 1:])),
        SMALLER,
    ),
    _fault(
        "palette-of-label-colors",
        "Lightning-Universe/lightning-flash#1400",
        "Masks with a color palette are read as colors instead of classes.",
        "The index is the label, as Pascal VOC has it.",
        _pair(lambda path: made.save_palette(path, DISC * 2 + CORNER, [0, 0, 0, 128, 0, 0, 0, 128, 0])),
        Right(voxels={"liver": N_CORNER, "tumor": N_DISC}, n_cases=1, rejected=()),
        ingest=TWO,
    ),
    _fault(
        "one-class-of-a-palette-of-many",
        "",
        "A picture shows one class of many by its palette; its color on black was taken for the only label.",
        "The index is the label, and 3 is none: refused (`unknown_label`).",
        _pair(lambda path: made.save_palette(path, DISC * np.uint8(3), VOC)),
        Right(refused=("unknown_label",)),
    ),
    _fault(
        "masks-of-two-colors-in-two-files",
        "",
        "Each picture shows one class in its color, red or green; both were taken for the only label.",
        "Read, and said which colors there are (`mask_color`, `several_mask_colors`).",
        _red_and_green,
        Right(voxels={"tumor": N_DISC + N_CORNER}, n_cases=2, rejected=(), notes=("mask_color", "several_mask_colors")),
    ),
    _fault(
        "mask-that-is-its-own-complement",
        "",
        "Masks of black on white say outside where inside is meant.",
        "Read as it is, and said (`mask_nearly_full`): 2220 of 2240 pixels are inside.",
        _pair(lambda path: made.save(path, ~CORNER)),
        Right(voxels={"tumor": 40 * 56 - N_CORNER}, n_cases=1, rejected=(), notes=("mask_nearly_full",)),
    ),
    _fault(
        "picture-in-color-for-a-gray-channel",
        "",
        "Colors were turned gray without a word; in gray, red and green tissue may look alike.",
        "Turned gray by its luma, and said (`color_turned_gray`): pure green is 0.587 x 255, whole.",
        _image(lambda path: made.save(path, np.dstack([DISC & False, DISC, DISC & False]) * np.uint8(255))),
        Right(voxels={"tumor": N_DISC}, maximum=(150.0,), n_cases=1, rejected=(), notes=("color_turned_gray",)),
        sent=Sent({"gray": "images/a.png"}, shape=(1, 40, 56), says="gray"),
    ),
    _fault(
        "palette-whose-black-is-no-background",
        "",
        "Index and color of an annotation contradict each other.",
        "Refused: which of the two is meant is unknown.",
        _pair(lambda path: made.save_palette(path, DISC * 2 + CORNER, [128, 0, 0, 0, 128, 0, 0, 0, 0])),
        Right(refused=("contradicting_palette",)),
        ingest=TWO,
    ),
    _fault(
        "png-of-48-bits",
        "python-pillow/Pillow#7723",
        "A color PNG of 16 bits opens as 8 bits, the lower byte gone.",
        "Read whole, by another decoder: 2239 stays 2239.",
        _image(lambda path: made.save_png(path, np.dstack([DEEP] * 3), 16, 2)),
        Right(voxels={"tumor": N_DISC}, maximum=(2239.0,), n_cases=1),
        sent=Sent({"gray": "images/a.png"}, shape=(1, 40, 56), maximum=2239.0),
    ),
    _fault(
        "png-of-16-bits-with-alpha",
        "python-pillow/Pillow#1888",
        "Gray of 16 bits with alpha opens as 8 bits.",
        "Read whole where it is opaque.",
        _image(lambda path: made.save_png(path, np.dstack([DEEP, np.full_like(DEEP, 65535)]), 16, 4)),
        Right(voxels={"tumor": N_DISC}, maximum=(2239.0,), n_cases=1),
        sent=Sent({"gray": "images/a.png"}, maximum=2239.0),
    ),
    _fault(
        "tiff-of-48-bits",
        "python-pillow/Pillow#1828",
        "A color TIFF of 16 bits opens as 8 bits, or not at all.",
        "Read whole.",
        _image(lambda path: made.save_tiff(path, np.dstack([DEEP] * 3), photometric=2), "a.tif"),
        Right(voxels={"tumor": N_DISC}, maximum=(2239.0,), n_cases=1),
        sent=Sent({"gray": "images/a.tif"}, maximum=2239.0),
    ),
    _fault(
        "tiff-of-doubles",
        "python-pillow/Pillow#1659",
        "A TIFF of 64-bit floats can't be identified.",
        "Read.",
        _image(lambda path: made.save_tiff(path, DEEP / 4.0, sample_format=3), "a.tif"),
        Right(voxels={"tumor": N_DISC}, maximum=(559.75,), n_cases=1),
        sent=Sent({"gray": "images/a.tif"}, maximum=559.75),
    ),
    _fault(
        "tiff-of-16-bits-whose-zero-is-white",
        "ITK#6636",
        "A TIFF of 16 bits with PhotometricInterpretation 0 comes out as its negative.",
        "Turned round, as its header says: the brightest pixel is 65535 - 0.",
        _image(lambda path: made.save_tiff(path, DEEP, photometric=0), "a.tif"),
        Right(voxels={"tumor": N_DISC}, maximum=(65535.0,), n_cases=1),
        sent=Sent({"gray": "images/a.tif"}, maximum=65535.0),
    ),
    _fault(
        "mask-whose-zero-is-white",
        "scikit-image/scikit-image#1940",
        "A binary mask in a TIFF whose zero is white is inverted on reading.",
        "What is seen counts: white is inside, stored as 0.",
        _pair(lambda path: made.save_tiff(path, (~DISC * 255).astype(np.uint8), photometric=0), "tif"),
        READ,
    ),
    _fault(
        "inverted-mask-whose-zero-is-white",
        "haraldk/TwelveMonkeys#637",
        "TIFFs say white is zero though their pixels mean the other way round.",
        "Refused where white, stored as 0, is most of the picture.",
        _pair(lambda path: made.save_tiff(path, (DISC * 255).astype(np.uint8), photometric=0), "tif"),
        Right(refused=("inverted_mask",)),
    ),
    _fault(
        "mask-of-16-bits",
        "python-pillow/Pillow#2107",
        "Masks of 0 and 65535 do not open as expected.",
        "White in two bytes is inside.",
        _pair(lambda path: made.save(path, (DISC * 65535).astype(np.uint16))),
        READ,
    ),
    _fault(
        "labels-of-48-bits",
        "python-pillow/Pillow#4073",
        "Labels 1, 2 in a color PNG of 16 bits vanish with the lower byte.",
        "Read whole.",
        _pair(lambda path: made.save_png(path, np.dstack([DISC * 2 + CORNER] * 3).astype(np.uint16), 16, 2)),
        Right(voxels={"liver": N_CORNER, "tumor": N_DISC}, n_cases=1, rejected=()),
        ingest=TWO,
    ),
    _fault(
        "labels-of-2-bits",
        "",
        "Pillow spreads the values 0 to 3 of a PNG of two bits over a byte: label 1 becomes 85.",
        "Labels are what is stored.",
        _pair(lambda path: made.save_png(path, (DISC * 2 + CORNER).astype(np.uint8), 2, 0)),
        Right(voxels={"liver": N_CORNER, "tumor": N_DISC}, n_cases=1, rejected=()),
        ingest=TWO,
    ),
    _fault(
        "classes-by-color",
        "NVIDIA/DIGITS#1605",
        "Classes are colors of an RGB picture; read as gray they melt into one.",
        "Refused: nothing says which color is which label, however few pixels one has.",
        _pair(lambda path: made.save(path, np.dstack([DISC | CORNER, CORNER, CORNER & False]) * np.uint8(255))),
        Right(refused=("several_colors",)),
    ),
    _fault(
        "exif-turns-the-image-alone",
        "wkentaro/labelme#1529",
        "A picture is turned by EXIF, its mask is not: the mask lies elsewhere.",
        "Refused where sizes don't tell which was drawn on which.",
        _image(_turned),
        Right(refused=("turned_picture",)),
        sent=Sent({"gray": "images/a.png"}, shape=(1, 40, 56), says="Turned"),
    ),
    _fault(
        "jpeg-of-inks",
        "python-pillow/Pillow#2907",
        "Colors that a profile alone makes sense of are converted without it.",
        "Refused.",
        _image(_cmyk, "a.jpg"),
        Right(refused=("unsupported_colors",)),
        sent=Sent({"gray": "images/a.jpg"}, refused=("unsupported_colors",)),
    ),
)
