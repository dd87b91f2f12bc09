"""What stands in a page or a picture, read back from its bytes."""

from html.parser import HTMLParser

import numpy as np

from lesionflow.evaluation.figures import to_array


class _Rows(HTMLParser):
    """Cells of all tables, row by row; unclosed and unknown tags fail."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.open = [], []

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in {"img", "meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in {"td", "th", "button", "a"} and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def read_rows(html: str) -> list[list[str]]:
    parser = _Rows()
    parser.feed(html)
    assert parser.open == []
    return parser.rows


def pixels_near(png: bytes, color: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of pixels near a color."""
    image = to_array(png).astype(int)
    return np.argwhere(np.abs(image - color).max(axis=2) < 40)


BLUE, ORANGE = (0x56, 0xB4, 0xE9), (0xE6, 0x9F, 0x00)
