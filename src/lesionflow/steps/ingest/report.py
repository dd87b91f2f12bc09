"""What ingest made of a folder of studies, as one page to look through: what was taken as what, what was refused, and why.

The page says where each study came from, so it belongs beside the private folder, not beside the cases.
"""

import html
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lesionflow.data.dataset import Dataset
from lesionflow.evaluation.page import Cell, Picture, number, page, picture, table, words
from lesionflow.io.notes import Note
from lesionflow.io.stores import cases
from lesionflow.io.stores.case_index import Entry
from lesionflow.io.stores.private import known_said, known_sources, known_taken

#: Pictures beyond are left out, and the page says so: it is to be looked through.
MAX_PICTURES = 600
MAX_NAMED = 12
#: A pixel counts as a cube of 1 mm.
PIXELS_PER_ML = 1000
#: Words that name structures stay on the machine that read the study.
ELSEWHERE = "(said where the study was read; docs/faults.md and docs/formats.md tell what the code means)"
#: What was taken as each channel and label, by case id.
Taken = Mapping[str, Mapping[str, Sequence[str]]]


class Known(NamedTuple):
    """What only the team's own machine knows, by case id: where each came from, what was taken as what, what was said."""

    sources: Mapping[str, str]
    taken: Taken
    said: Mapping[str, Sequence[Sequence[str]]]


def known_to(private_dir: Path) -> Known:
    """Return what this machine knows of cases."""
    return Known(known_sources(private_dir), known_taken(private_dir), known_said(private_dir))


def read_page(
    index: Mapping[str, Entry],
    general: Sequence[Note],
    dataset: Dataset,
    *,
    folders: Sequence[Path],
    known: Known,
) -> str:
    """Make the page.

    Args:
        index: Every study that was found, by case id.
        general: What was said of all together.
        dataset: Channels, labels and regions.
        folders: Folders of cases; the first that holds a case's picture gives it.
        known: What only this machine knows.

    Returns:
        HTML that needs nothing beside it.
    """
    sources = known.sources
    index = {
        c: entry._replace(notes=tuple(map(_told_as, known.said.get(c, entry.notes)))) for c, entry in index.items()
    }
    read = {case_id: index[case_id] for case_id in sorted(index) if index[case_id].row}
    refused = {case_id: index[case_id].refusal for case_id in sorted(index) if index[case_id].refusal}
    parts = [
        f"<h1>What was read of {html.escape(dataset.name)}</h1>",
        _headline(read, refused),
        "<p class='note'>Places on disk are named here: keep this page where the studies are, and give it to nobody else.</p>",
        _refusals(refused, sources),
        _said(index, general, sources),
        _channels(read, dataset, known.taken),
        _labels(read, dataset, known.taken),
        _patients(read, sources),
        _pictures(read, dataset, folders, sources),
    ]
    return page(f"{dataset.name}: what was read", parts)


def _headline(read: Mapping[str, Entry], refused: Mapping[str, object]) -> str:
    patients = {entry.row["patient_id"] for entry in read.values()}
    told = sum(bool(entry.notes) for entry in read.values())
    without = sum(not entry.row["has_mask"] for entry in read.values())
    tiles = (
        ("Cases", len(read)),
        ("Patients", len(patients)),
        ("Without an outline", without),
        ("Refused", len(refused)),
        ("With remarks", told),
    )
    shown = "".join(f"<div class='tile'><span>{name}</span><b>{count:,}</b></div>" for name, count in tiles)
    return f"<div class='tiles'>{shown}</div>"


def _refusals(refused: Mapping[str, Mapping[str, str]], sources: Mapping[str, str]) -> str:
    by_reason = defaultdict(list)
    for case_id, refusal in refused.items():
        by_reason[refusal["reason"]].append((case_id, refusal["message"]))
    return _told("Refused", "reason", by_reason, sources, "Nothing was refused.")


def _said(index: Mapping[str, Entry], general: Sequence[Note], sources: Mapping[str, str]) -> str:
    by_code = defaultdict(list)
    for code, message in general:
        by_code[code].append(("", message))
    for case_id in sorted(index):
        for code, message in index[case_id].notes:
            by_code[code].append((case_id, message))
    return _told("Read, but", "code", by_code, sources, "Nothing had to be dropped, filled or guessed.")


def _told(
    title: str,
    head: str,
    groups: Mapping[str, Sequence[tuple[str, str]]],
    sources: Mapping[str, str],
    nothing: str,
) -> str:
    if not groups:
        return f"<h2>{title}</h2><p>{nothing}</p>"
    rows = []
    for name, told in sorted(groups.items(), key=lambda group: -len(group[1])):
        where = [sources.get(case_id, case_id) or "all studies" for case_id, _ in told]
        more = f" and {len(where) - MAX_NAMED} more" if len(where) > MAX_NAMED else ""
        rows.append((words(name), _count(len(told)), words(told[0][1]), words(", ".join(where[:MAX_NAMED]) + more)))
    return f"<h2>{title}</h2>" + table((head, "studies", "the first of them", "where"), rows)


def _channels(read: Mapping[str, Entry], dataset: Dataset, taken: Taken) -> str:
    rows = []
    for name, kind in dataset.channels.items():
        told = {"series description": dataset.series_descriptions.get(name, "")}
        told |= {"body part": dataset.body_parts.get(name, ""), "kernel": dataset.reconstruction_kernels.get(name, "")}
        rule = ", ".join(f"{what} like {text}" for what, text in told.items() if text) or "the only one of its kind"
        values = [_range(read, f"{column}__{name}") for column in ("p01", "p99")]
        rows.append(
            (
                words(name),
                words(kind),
                words(rule),
                _count(len(read)),
                *map(words, values),
                words(_found(read, taken, name)),
            )
        )
    grids = [(axis, words(_range(read, f"spacing_{axis}_mm"))) for axis in ("slice", "row", "column")]
    heads = ("channel", "kind", "taken by", "cases", "1st percentile", "99th percentile", "what was taken")
    spacing = table(("spacing along", "mm: median (least to most)"), [(words(axis), cell) for axis, cell in grids])
    if _is_picture(dataset):
        spacing = "<p>Of pictures nobody says how large a pixel is: all sizes are in pixels.</p>"
    return "<h2>Channels</h2>" + table(heads, rows) + spacing


def _found(read: Mapping[str, Entry], taken: Taken, what: str) -> str:
    """Return what was taken as a channel or label, the most frequent first, numbers in names told alike."""
    counts = Counter(re.sub(r"\d+", "#", found) for case_id in read for found in taken.get(case_id, {}).get(what, ()))
    if len(counts) > MAX_NAMED and max(counts.values()) == 1:
        return f"{len(counts)} names, such as {next(iter(counts))}"
    shown = [f"{text} ({count})" if count > 1 else text for text, count in counts.most_common(MAX_NAMED)]
    return ", ".join(shown) + (f" and {len(counts) - MAX_NAMED} more" if len(counts) > MAX_NAMED else "")


def _range(read: Mapping[str, Entry], column: str) -> str:
    values = np.array([entry.row[column] for entry in read.values()], dtype=float)
    if not len(values):
        return ""
    return f"{number(float(np.median(values)), '-')} ({number(values.min(), '-')} to {number(values.max(), '-')})"


def _labels(read: Mapping[str, Entry], dataset: Dataset, taken: Taken) -> str:
    present = [entry.row["labels_present"].split(",") for entry in read.values()]
    rows = []
    for name, value in dataset.labels.items():
        n_cases = sum(str(value) in labels for labels in present)
        found = _found(read, taken, name) if n_cases else "in no case: is it meant?"
        rows.append((words(name), _count(value), _count(n_cases), words(found)))
    names = {value: name for name, value in dataset.labels.items()}
    regions = [f"{name} = {' + '.join(names[v] for v in values)}" for name, values in dataset.regions.items()]
    said = f"<p>Regions: {html.escape('; '.join(regions))}</p>" if regions else ""
    return "<h2>Labels</h2>" + table(("label", "value", "cases", "what was taken"), rows) + said


def _patients(read: Mapping[str, Entry], sources: Mapping[str, str]) -> str:
    by_patient = defaultdict(list)
    for case_id, entry in read.items():
        by_patient[entry.row["patient_id"]].append(case_id)
    several = sorted(((p, ids) for p, ids in by_patient.items() if len(ids) > 1), key=lambda both: -len(both[1]))
    said = f"{len(by_patient)} patients, {len(several)} of them with more than one case."
    rows = [
        (words(patient), _count(len(ids)), words(", ".join(sources.get(i, i) for i in ids[:MAX_NAMED])))
        for patient, ids in several[:MAX_NAMED]
    ]
    shown = table(("patient", "cases", "from"), rows) if rows else ""
    asked = (
        "<p class='note'>All cases of a patient stay on one side of the split. If these are not the patients, set "
        "ingest.patient_pattern.</p>"
    )
    return f"<h2>Patients</h2><p>{said}</p>{shown}{asked}"


def _pictures(read: Mapping[str, Entry], dataset: Dataset, folders: Sequence[Path], sources: Mapping[str, str]) -> str:
    names = {str(value): name for name, value in dataset.labels.items()}
    # Cases with remarks come first: they are what should be looked at.
    order = sorted(read, key=lambda case_id: (not read[case_id].notes, case_id))
    shown = []
    for case_id in order[:MAX_PICTURES]:
        caption = _caption(case_id, read[case_id], names, sources.get(case_id, ""), pixels=_is_picture(dataset))
        places = [cases.thumbnail_path(folder, case_id) for folder in folders]
        png = next((path.read_bytes() for path in places if path.is_file()), None)
        if png:
            shown.append(picture(Picture(caption, png), anchor=case_id))
    left = f"<p>{len(order) - MAX_PICTURES:,} more are not shown.</p>" if len(order) > MAX_PICTURES else ""
    return f"<h2>Every case</h2><div class='plots'>{''.join(shown)}</div>{left}"


def _caption(case_id: str, entry: Entry, labels: Mapping[str, str], place: str, *, pixels: bool) -> str:
    row: Mapping[str, Any] = entry.row
    grid = " x ".join(str(row[f"n_{axis}"]) for axis in ("slices", "rows", "columns"))
    spacing = " x ".join(f"{row[f'spacing_{axis}_mm']:.3g}" for axis in ("slice", "row", "column"))
    voxels = f"{grid} pixels" if pixels else f"{grid} voxels of {spacing} mm"
    size = f"{row['tumor_ml'] * PIXELS_PER_ML:,.0f} pixels" if pixels else f"{number(row['tumor_ml'], 'ml')} ml"
    present = [labels.get(value, value) for value in row["labels_present"].split(",") if value]
    outlined = f"{', '.join(present)}, {size}" if present else "no outline"
    return " · ".join(_filled((case_id, place, voxels, outlined, *_codes(entry.notes))))


def _told_as(note: Sequence[str]) -> tuple[str, str]:
    return (note[0], note[1] or ELSEWHERE)


def _is_picture(dataset: Dataset) -> bool:
    """Tell whether the unit is the pixel: of pictures nobody says how large they are."""
    return set(dataset.channels.values()) == {"picture"}


def _codes(notes: Iterable[tuple[str, str]]) -> list[str]:
    return sorted({code for code, _ in notes})


def _filled(texts: Iterable[str]) -> list[str]:
    return [text for text in texts if text]


def _count(value: int) -> Cell:
    return Cell(f"{value:,}", str(value))
