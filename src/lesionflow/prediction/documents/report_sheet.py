"""The report as PDF: the words of the page, on A4. The only fpdf.

Its font is DejaVu Sans (Latin, Greek, Cyrillic, Arabic without shaping and more), which matplotlib brings; a character that it lacks
is written by its number in Unicode, so that nothing is left out without a word. The same report gives the same bytes.
"""

import datetime as dt
import io
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionflow.prediction.documents.report_words import (
    LESION_HEADS,
    LESION_NOTE,
    NO_TEXT,
    REVIEW,
    TITLE,
    alerts_of,
    doubt_of,
    model_words,
    passport_rows,
    target_words,
)

if TYPE_CHECKING:
    from fpdf import FPDF
    from fpdf.fonts import TTFFont

FAMILY = "dejavu"
FILES = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}
BAD, PALE, QUIET, BLACK, WHITE = (161, 17, 17), (253, 236, 234), (75, 85, 99), (20, 24, 28), (255, 255, 255)
MARGIN_MM, LINE_MM = 15.0, 5.5
#: Heights of the frame's bars, and the most of a picture.
BAR_MM, BORDER_MM, PICTURE_MM = 6.5, 2.0, 95.0
#: Shares of the width of a lesion's columns.
COLUMNS = (8, 12, 17, 20, 30, 13)


@cache
def _sheet_class() -> type["FPDF"]:
    """Return pages whose every foot has the disclaimer, and whose every head but the first has the doubt, where there is one."""
    from fpdf import FPDF

    class Sheet(FPDF):
        """The first page has all warnings instead."""

        def __init__(self, foot: str, doubt: str) -> None:
            super().__init__(format="A4")
            self._foot, self._doubt = foot, doubt
            for style, file in FILES.items():
                self.add_font(FAMILY, style, _fonts() / file)
            self.set_margin(MARGIN_MM)
            self.set_auto_page_break(auto=True, margin=MARGIN_MM + LINE_MM)

        def header(self) -> None:
            """Repeat the doubt."""
            if self._doubt and self.page_no() > 1:
                _bar(self, self._doubt)

        def footer(self) -> None:
            """Say what it must not be used for."""
            self.set_y(-MARGIN_MM)
            self.set_text_color(*QUIET)
            self.set_font(FAMILY, size=8)
            self.cell(0, LINE_MM, f"{self._foot}  {self.page_no()}/{{nb}}", align="C")

    return Sheet


@contextmanager
def _opened_sheet(foot: str, doubt: str) -> Iterator["FPDF"]:
    """Give a sheet; fpdf leaves the files of its fonts open."""
    made: FPDF = _sheet_class()(foot, doubt)
    try:
        yield made
    finally:
        for font in _own_fonts(made):
            font.ttfont.close()


def _own_fonts(sheet: "FPDF") -> list["TTFFont"]:
    from fpdf.fonts import TTFFont

    return [font for font in sheet.fonts.values() if isinstance(font, TTFFont)]


def make_report_sheet(report: Mapping[str, Any], picture: bytes | None = None) -> bytes:
    """Return the PDF.

    Args:
        report: As `Report` is told in JSON.
        picture: The overlay as PNG.
    """
    with _opened_sheet(_drawn(report["disclaimer"]), _drawn(doubt_of(report))) as sheet:
        _fill(sheet, report, picture)
        return bytes(sheet.output())


def _fill(sheet: "FPDF", report: Mapping[str, Any], picture: bytes | None) -> None:
    sheet.set_creation_date(_made(report))
    sheet.set_title(_drawn(f"{TITLE}: {report['case_id']}"))
    sheet.set_lang("en")
    sheet.add_page()
    _alerts(sheet, report)
    _line(sheet, f"{TITLE}: {report['case_id']}", size=16, style="B", above=4)
    _line(
        sheet, f"Segmented by {model_words(report)}. Preliminary: no physician has looked at it.", size=8, color=QUIET
    )
    for target in report["targets"]:
        _target(sheet, target)
    _picture(sheet, report, picture)
    _line(sheet, "Where it comes from", size=12, style="B", above=4)
    for name, value in passport_rows(report):
        _line(sheet, f"{name}: {value}", size=8)


def _bar(sheet: "FPDF", text: str) -> None:
    """Draw a line of white words on red over the whole width."""
    sheet.set_fill_color(*BAD)
    sheet.set_text_color(*WHITE)
    sheet.set_font(FAMILY, "B", 11)
    sheet.multi_cell(0, BAR_MM, text, fill=True, align="C", new_x="LMARGIN", new_y="NEXT")
    sheet.set_text_color(*BLACK)


@cache
def _fonts() -> Path:
    from lesionflow.evaluation.figures import font_folder

    return font_folder()


@cache
def _glyphs() -> frozenset[int]:
    with _opened_sheet("", "") as sheet:
        return frozenset.intersection(*(frozenset(font.cmap) for font in _own_fonts(sheet)))


def _drawn(text: object) -> str:
    plain = NO_TEXT.sub("\ufffd", str(text))
    return "".join(c if ord(c) in _glyphs() or c == "\n" else f"[U+{ord(c):04X}]" for c in plain)


def _made(report: Mapping[str, Any]) -> dt.datetime:
    told = report["passport"].get("created_at")
    return dt.datetime.fromisoformat(told) if told else dt.datetime(1980, 1, 1, tzinfo=dt.UTC)


def _line(
    sheet: "FPDF",
    text: str,
    *,
    size: float = 10,
    style: str = "",
    color: tuple[int, int, int] = BLACK,
    above: float = 0,
) -> None:
    sheet.ln(above)
    sheet.set_text_color(*color)
    sheet.set_font(FAMILY, style, size)
    sheet.multi_cell(0, size * 0.5, _drawn(text), align="L", new_x="LMARGIN", new_y="NEXT")
    sheet.set_text_color(*BLACK)


def _alerts(sheet: "FPDF", report: Mapping[str, Any]) -> None:
    if doubt := doubt_of(report):
        _bar(sheet, _drawn(doubt))
    alerts = alerts_of(report)
    sheet.set_fill_color(*PALE)
    sheet.set_draw_color(*BAD)
    sheet.set_text_color(*(BAD if alerts else BLACK))
    sheet.set_font(FAMILY, "B", 10)
    lines = (
        [*(f"WARNING: {alert}" for alert in alerts), report["disclaimer"]]
        if alerts
        else ["No warning.", report["disclaimer"]]
    )
    text = _drawn("\n".join(lines))
    sheet.multi_cell(
        0, LINE_MM, text, fill=bool(alerts), border=1 if alerts else 0, align="L", new_x="LMARGIN", new_y="NEXT"
    )


def _target(sheet: "FPDF", target: Mapping[str, Any]) -> None:
    words = target_words(target)
    _line(sheet, words.name, size=12, style="B", above=4)
    first, *others = words.sentences
    _line(sheet, first, size=12)
    for sentence in others:
        bad = sentence == REVIEW
        _line(sheet, sentence, style="B" if bad else "", color=BAD if bad else BLACK)
    if not words.lesions:
        return
    sheet.ln(2)
    sheet.set_font(FAMILY, size=8)
    sheet.set_fill_color(*WHITE)
    sheet.set_draw_color(*QUIET)
    from fpdf.fonts import FontFace

    heads = FontFace(emphasis="B")
    with sheet.table(
        col_widths=COLUMNS,
        headings_style=heads,
        borders_layout="HORIZONTAL_LINES",
        text_align=("L", *("R",) * 5),
        line_height=4.5,
    ) as table:
        for cells in (LESION_HEADS, *words.lesions):
            row = table.row()
            for cell in cells:
                row.cell(_drawn(cell))
    _line(sheet, LESION_NOTE, size=7, color=QUIET, above=1)


def _picture(sheet: "FPDF", report: Mapping[str, Any], picture: bytes | None) -> None:
    if picture is None:
        _line(sheet, "No picture was kept with this result.", above=4)
        return
    doubt = _drawn(doubt_of(report))
    # PNG (RFC 2083, 3.2 and 4.1.1): width and height stand first in the first chunk.
    columns, rows = struct.unpack(">II", picture[16:24])
    shape = rows / columns
    width = min(sheet.epw - 2 * BORDER_MM, PICTURE_MM / shape)
    height = width * shape
    # Bars, border, caption and heading stay with it.
    if sheet.get_y() + height + 4 * BAR_MM > sheet.page_break_trigger:
        sheet.add_page()
    _line(
        sheet,
        "The mask on the study: the slice with most of it, outlined in orange. No measure may be taken on it.",
        size=8,
        color=QUIET,
        above=4,
    )
    if doubt:
        _bar(sheet, doubt)
    top = sheet.get_y()
    sheet.image(
        io.BytesIO(picture),
        x=sheet.l_margin + BORDER_MM,
        y=top + BORDER_MM,
        w=width,
        h=height,
        alt_text="The slice with most of the mask",
    )
    if doubt:
        sheet.set_draw_color(*BAD)
        sheet.set_line_width(BORDER_MM)
        sheet.rect(sheet.l_margin + BORDER_MM / 2, top + BORDER_MM / 2, width + BORDER_MM, height + BORDER_MM)
        sheet.set_line_width(0.2)
    sheet.set_y(top + height + 2 * BORDER_MM)
    if doubt:
        _bar(sheet, doubt)
