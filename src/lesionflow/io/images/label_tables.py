"""Names that programs give to the numbers of a mask outside of its voxels: in its header, or in a text file beside it.

References:
    TotalSegmentator and Connectome Workbench: a `CaretExtension` of NIfTI; MITK: JSON in an NRRD header
    (`org.mitk.multilabel.segmentation.labelgroups`); ITK-SNAP: a label description file; 3D Slicer and FreeSurfer: a color table;
    BIDS: a table `dseg.tsv` (Derivatives, "Common image-derived labels").
"""

import csv
import html
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lesionflow.errors import InputError
from lesionflow.io.images import image_files
from lesionflow.io.images.nifti_texts import read_extensions
from lesionflow.machine.faults import blame_machine

#: Names by number.
Table = dict[int, str]
ENDINGS = (".txt", ".label", ".ctbl", ".tsv")
#: MITK's description of a stack of masks, whose files may each hold their label as another number than it has here.
STACK = ".mitklabel.json"
#: Tables of thousands of regions are shorter.
MAX_BYTES = 1 << 20
#: IDX R G B A VIS MSH "LABEL"
ITKSNAP = re.compile(r'\s*(\d{1,9})(?:\s+\d+){3}\s+[\d.]+\s+[01]\s+[01]\s+"(.*)"\s*')
#: number name R G B A
COLORS = re.compile(r"\s*(\d{1,9})\s+(\S+)(?:\s+\d+){4}\s*")
CARET_LABEL = re.compile(r'<Label\s[^<>]*?Key="(\d{1,9})"[^<>]*>\s*(?:<!\[CDATA\[([^\]<]*)\]\]>|([^<]*))')
CARET = "<CaretExtension"
MITK = re.compile(r"org[._]mitk[._]multilabel[._]segmentation[._]labelgroups")


def find_tables(paths: Iterable[Path]) -> list[Path]:
    """Return those files that name labels.

    Args:
        paths: Any files.
    """
    return [path for path in paths if is_called_as_table(path) and (_is_stack(path) or _parsed(path))]


def is_called_as_table(path: Path) -> bool:
    """Tell whether a file may name labels, by its own name."""
    return path.suffix.lower() in ENDINGS or _is_stack(path)


def _is_stack(path: Path) -> bool:
    return path.name.lower().endswith(STACK)


def tables_beside(mask: Path, tables: Sequence[Path]) -> list[Path]:
    """Return the tables that speak of a mask: called as it is, else those of the nearest folder that it lies in.

    Args:
        mask: Its file.
        tables: Of `find_tables`, of the whole data set.
    """
    own = [t for t in tables if t.parent == mask.parent and t.stem == image_files.stem(mask)]
    if own:
        return own
    general = [t for t in tables if not _is_of_one_mask(t)]
    levels = ([t for t in general if t.parent == folder] for folder in mask.parents)
    return next(filter(None, levels), [])


def _is_of_one_mask(table: Path) -> bool:
    """Tell whether a mask beside it is called as the table, which so says nothing of others."""
    return any((table.parent / f"{table.stem}{ending}").exists() for ending in image_files.ENDINGS)


def read_tables(tables: Sequence[Path], *, name: str) -> Table:
    """Read the tables that speak of one mask.

    Args:
        tables: Of `tables_beside`.
        name: What to call the case in messages.

    Returns:
        Names by number; empty without a table.

    Raises:
        InputError: `broken_segments` when they contradict one another, or are such as are not read.
    """
    if any(_is_stack(table) for table in tables):
        message = (
            f"Expected the names of labels in the mask of {name} or in a table beside it, found them in a stack of MITK ({STACK}), "
            "which is not read: its files may use other numbers than it tells. Export the segmentation as one NRRD, which holds its names."
        )
        raise InputError(message, reason="broken_segments")
    told = [_parsed(table) for table in tables]
    if any(table != told[0] for table in told):
        message = (
            f"Expected one table of label names for the mask of {name}, found {len(told)} that differ: which one is meant can't be "
            "told. Keep one, or call each as its mask."
        )
        raise InputError(message, reason="broken_segments")
    return told[0] if told else {}


def names_in_nifti(path: Path) -> Table:
    """Read the names that a NIfTI file's own header gives its numbers; empty where it gives none.

    Args:
        path: A `.nii` or `.nii.gz` file.
    """
    texts = [text for text in read_extensions(path) if CARET in text and len(text) <= MAX_BYTES]
    return {
        int(key): html.unescape(plain).strip() or named.strip()
        for text in texts
        for key, named, plain in CARET_LABEL.findall(text)
    }


def groups_in_nrrd(fields: dict[str, str], *, name: str) -> list[Table]:
    """Read the names that MITK writes into an NRRD header.

    Args:
        fields: What the header says, by key.
        name: What to call the case in messages.

    Returns:
        Names by number, one table a layer of the file; none where it was not written by MITK.

    Raises:
        InputError: `broken_segments`.
    """
    told = next((text for key, text in fields.items() if MITK.fullmatch(key)), "")
    if not told:
        return []
    try:
        groups = [group.get("labels") or [] for group in json.loads(told)]
        return [{int(label["value"]): str(label.get("name") or "") for label in labels} for labels in groups]
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        message = (
            f"Expected the labels of MITK in the header of {name}, found some that can't be read. Export it again."
        )
        raise InputError(message, reason="broken_segments") from error


def _parsed(path: Path) -> Table:
    """Read a text file as a table of label names; empty when it is none."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        blame_machine(error)
        return {}
    return _of_bids(text) if path.suffix.lower() == ".tsv" else _of_lines(text)


def _of_bids(text: str) -> Table:
    rows = csv.DictReader(io.StringIO(text), delimiter="\t")
    try:
        if not {"index", "name"} <= set(rows.fieldnames or ()):
            return {}
        return {int(row["index"]): row["name"].strip() for row in rows}
    except (AttributeError, TypeError, ValueError, csv.Error):
        return {}


def _of_lines(text: str) -> Table:
    """Read ITK-SNAP's or a color table: every line but comments has its form."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for form in (ITKSNAP, COLORS):
        found = [form.fullmatch(line) for line in lines]
        if found and all(found):
            return {int(match[1]): match[2].strip() for match in found if match}
    return {}
