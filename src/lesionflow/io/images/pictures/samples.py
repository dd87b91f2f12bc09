"""How a picture's header says that its samples are stored, and those that Pillow would cut to a byte, read whole by OpenCV."""

import struct
import warnings
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from lesionflow.errors import RasterError
from lesionflow.machine.faults import blame_machine

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TIFF_SIGNATURES = (b"II*\0", b"MM\0*")
#: PNG, third edition, 11.2.1: samples by color type; a palette's is an index.
PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PNG_PALETTE = 3
#: TIFF 6.0: tags, and what sample formats are.
WIDTH, HEIGHT, BITS, PHOTOMETRIC, SAMPLES, FORMAT = 256, 257, 258, 262, 277, 339
KINDS = {1: "unsigned", 2: "signed", 3: "float"}
WHITE_IS_ZERO = 0


class Samples(NamedTuple):
    """What a header says.

    Args:
        width: Pixels a row.
        height: Rows.
        bits: Of a sample.
        n_samples: Of a pixel.
        kind: `unsigned`, `signed`, `float`, or `palette`.
        white_is_zero: Whether 0 is white (TIFF 6.0, PhotometricInterpretation 0).
    """

    width: int
    height: int
    bits: int
    n_samples: int
    kind: str
    white_is_zero: bool = False

    @property
    def is_cut_by_pillow(self) -> bool:
        """Tell whether Pillow has no mode for such samples: several of more than a byte, or doubles."""
        return (self.bits > 8 and self.n_samples > 1) or self.bits > 32


def read_directory(source: IO[bytes]) -> Any:
    """Read the tags of a TIFF's first page."""
    source.seek(0)
    directory: Any = TiffImagePlugin.ImageFileDirectory_v2(source.read(8))
    source.seek(directory.next)
    directory.load(source)
    return directory


def read_samples(path: Path) -> Samples | None:
    """Read the header of a PNG or TIFF file.

    Args:
        path: A picture.

    Returns:
        What it says; None for other files, and for a header that can't be read, which Pillow names.
    """
    try:
        with path.open("rb") as source, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a directory that was cut off: who decodes refuses it
            head = source.read(8)
            if head == PNG_SIGNATURE:
                width, height, bits, color = struct.unpack(">8xIIBB", source.read(18))
                return Samples(
                    width, height, bits, PNG_SAMPLES[color], "palette" if color == PNG_PALETTE else "unsigned"
                )
            if head.startswith(TIFF_SIGNATURES):
                return _of_tiff(read_directory(source))
    except (OSError, ValueError, KeyError, TypeError, SyntaxError, IndexError, struct.error) as error:
        blame_machine(error)
        return None
    return None


def _of_tiff(directory: Any) -> Samples:
    return Samples(
        int(directory[WIDTH]),
        int(directory[HEIGHT]),
        max(directory.get(BITS, (1,))),
        int(directory.get(SAMPLES, 1)),
        KINDS.get(max(directory.get(FORMAT, (1,))), "other"),
        directory.get(PHOTOMETRIC) == WHITE_IS_ZERO,
    )


def decode_whole(path: Path, samples: Samples, *, name: str) -> NDArray[Any]:
    """Decode a picture whose samples Pillow would cut.

    Args:
        path: A PNG or TIFF file.
        samples: What its header says.
        name: What to call it in messages.

    Returns:
        Samples as stored, of shape (row, column) or (row, column, color) in the order red, green, blue.

    Raises:
        RasterError: `unreadable_picture`, `transparent_picture`.
    """
    try:
        import cv2
    except ModuleNotFoundError:  # an image that only serves goes without its 150 MB
        _refuse(
            "unreadable_picture",
            f"Expected OpenCV to read the deep samples of {name}, found that it is not installed. Install "
            "opencv-python-headless, or save the picture with 8 bits a sample.",
        )
    try:
        decoded: Any = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        decoded = None
    if decoded is None or decoded.shape[:2] != (samples.height, samples.width) or 8 * decoded.itemsize < samples.bits:
        _refuse(
            "unreadable_picture", f"Expected a readable picture for {name}, found one that is broken. Export it again."
        )
    if decoded.ndim == 3 and decoded.shape[2] == 4:
        if decoded[..., 3].min() < np.iinfo(decoded.dtype).max:
            _refuse(
                "transparent_picture",
                f"Expected an opaque picture in {name}, found transparent pixels: what lies behind them is unknown. Flatten it.",
            )
        decoded = decoded[..., :3]
    if decoded.ndim == 2:
        return np.asarray(decoded)
    if samples.n_samples < 3:
        return np.asarray(decoded[..., 0])
    return np.asarray(decoded[..., ::-1])


def _refuse(reason: str, message: str) -> NoReturn:
    raise RasterError(message, reason=reason)
