"""Masks of any method on the locked test set: scored by our code, shown in our report, compared with a model; never a model."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from lesionflow.cohort.splitting import digest_of_test_set
from lesionflow.config.names import key_of
from lesionflow.data.dataset import Dataset
from lesionflow.data.split import Split
from lesionflow.data.volume import Mask
from lesionflow.errors import InputError
from lesionflow.evaluation import plots
from lesionflow.evaluation.comparison import MetricDifference, of_shared_targets, require_comparable
from lesionflow.evaluation.figures import overlay_planes
from lesionflow.evaluation.mask_scoring import score_mask, tables_of
from lesionflow.evaluation.page import Picture
from lesionflow.evaluation.report import ReportContent, render_report
from lesionflow.evaluation.result_json import headline_json, metrics_json
from lesionflow.evaluation.results import ChampionScores, Sampling, TargetResult, summarize
from lesionflow.evaluation.scoring import Scores
from lesionflow.evaluation.statistics.test_set_looks import looks_spent
from lesionflow.io.exchange.mask_folder import find_masks, read_declaration_beside, read_foreign_mask
from lesionflow.io.files import replacing_folder, sha256_file
from lesionflow.io.stores.cases import read_case, read_contents, read_dataset, read_table
from lesionflow.io.stores.evaluations import (
    ABOUT,
    HEADLINE_FILE,
    METRICS_FILE,
    OVERLAYS,
    PLOTS,
    REPORT,
    StoredEvaluation,
    write_tables,
)
from lesionflow.io.stores.ledger import ledger_path, note_read, read_ledger
from lesionflow.io.stores.splits import read_split
from lesionflow.metrics import HEADLINE as COMPARED
from lesionflow.steps.exchange.copied_masks import CopiedMasks, find_copies, fingerprint
from lesionflow.steps.exchange.nnunet_plan import read_label_values
from lesionflow.steps.revision import code_revision
from lesionflow.steps.shared_state import share_ledger

logger = logging.getLogger(__name__)
STEP = "evaluate --masks"
MAX_NAMED = 8


class MaskEvaluation(NamedTuple):
    """What was found: results by target, cases without a mask, and how the masks differ from a model's.

    `note` says why they are compared with none; `copies`, which masks are the reference's or another case's.
    """

    results: Mapping[str, TargetResult]
    missing: tuple[str, ...]
    differences: tuple[MetricDifference, ...]
    note: str
    copies: CopiedMasks


class _Scored(NamedTuple):
    scores: Scores
    pictures: dict[str, bytes]
    copies: CopiedMasks


def evaluate_masks(
    folder: Path,
    cases: Path,
    splits: Path,
    output: Path,
    tracking_uri: str,
    *,
    name: str,
    rival: StoredEvaluation | str,
    sampling: Sampling,
    n_worst_cases: int,
    missing: Literal["refuse", "empty"],
    copies: Literal["refuse", "allow"] = "refuse",
) -> MaskEvaluation:
    """Score a folder of masks on the locked test cases and write an evaluation that `compare` takes.

    Args:
        folder: Masks by case id; nnU-Net's `dataset.json` beside them says what their values are.
        cases: What `ingest` wrote.
        splits: Who is in the test set.
        output: The folder of the evaluation.
        tracking_uri: The store, where the ledger is shared by it.
        name: What people call the method.
        rival: A model's evaluation to compare with, or why there is none.
        sampling: How intervals are made.
        n_worst_cases: Pictures in the report.
        missing: What a case without a mask is: refused, or one in which nothing was found.
        copies: Whether masks most of which equal the reference voxel by voxel are scored.

    Returns:
        What was found.

    Raises:
        InputError: `missing_mask`, `ambiguous_masks`, `unknown_label`, `reference_copied`, and all reasons of the readers.
        GeometryMismatchError: When a mask lies on another grid than its case.
        ArtifactError: When `dataset.json` beside the masks has other labels.
    """
    split, dataset, table = read_split(splits), read_dataset(cases), read_table(cases)
    masks = find_masks(folder, split.test)
    lost = _without_mask(split.test, masks, missing)
    declaration = read_declaration_beside(folder)
    values = dict(enumerate(read_label_values(declaration, dataset), 1)) if declaration else None
    about = _noted(split, masks, lost, name, cases, splits, tracking_uri)
    patients = dict(zip(table["case_id"], table["patient_id"], strict=True))
    scored = _score({case_id: patients[case_id] for case_id in split.test}, masks, cases, dataset, values)
    if copies == "refuse":
        scored.copies.require_few()
    champion, note = _against(rival, scored.scores, about)
    results = summarize(scored.scores, table, tuple(t.name for t in dataset.targets), sampling, champion)
    content = ReportContent(
        title=f"Masks of {name} on {dataset.name}",
        plan=None,
        card=None,
        cases=scored.scores.cases,
        results=results,
        plots=_plots(scored.scores, results),
        worst=_worst(scored, n_worst_cases),
        training=None,
        champion=champion.name if champion else None,
        champion_note=note,
        confidence_level=sampling.confidence_level,
        data=(
            ("method", name),
            ("cases", f"{len(split.test)}, of them without a mask: {len(lost)}"),
            ("test set (sha256)", str(about["test_set_sha256"])),
            *(("copies", sentence) for sentence in scored.copies.sentences()),
        ),
    )
    _write(output, scored, results, about, content)
    return MaskEvaluation(results, lost, tuple(d for r in results.values() for d in r.differences), note, scored.copies)


def looks_at(cases: Path, splits: Path) -> int:
    """Return how many looks at the locked test set the ledger knows of."""
    split = read_split(splits)
    test_set = digest_of_test_set(split, read_contents(cases))
    return looks_spent(read_ledger(ledger_path(splits)), test_set, test_patients=split.test_patients)


def _without_mask(case_ids: Sequence[str], masks: Mapping[str, Path], missing: str) -> tuple[str, ...]:
    lost = tuple(case_id for case_id in case_ids if case_id not in masks)
    if lost and missing == "refuse":
        more = f" and {len(lost) - MAX_NAMED} more" if len(lost) > MAX_NAMED else ""
        raise InputError(
            f"Expected a mask for each of the {len(case_ids)} test cases, found none for {', '.join(lost[:MAX_NAMED])}{more}. Add them, or "
            "count them as empty by --missing empty.",
            reason="missing_mask",
        )
    return lost


def _noted(
    split: Split,
    masks: Mapping[str, Path],
    lost: Sequence[str],
    name: str,
    cases: Path,
    splits: Path,
    tracking_uri: str,
) -> dict[str, Any]:
    """Note in the ledger, and share, that the test set is about to be read; return what the evaluation says of itself."""
    about: dict[str, Any] = {
        "bundle_digest": _digest(masks),
        "run_id": "",
        "test_set_sha256": digest_of_test_set(split, read_contents(cases)),
        "n_cases": len(split.test),
        "method": name,
        "missing": list(lost),
    }
    share_ledger(splits, tracking_uri)
    facts = {"step": STEP, **about, "code_revision": code_revision(), "test_patients": list(split.test_patients)}
    note_read(ledger_path(splits), facts)
    share_ledger(splits, tracking_uri)
    return about


def _score(
    patients: Mapping[str, str],
    masks: Mapping[str, Path],
    cases: Path,
    dataset: Dataset,
    values: Mapping[int, int] | None,
) -> _Scored:
    scored, pictures, prints = [], {}, []
    for case_id, patient_id in patients.items():
        case = read_case(cases, case_id, patient_id)
        grid = case.volume.geometry
        if case_id in masks:
            mask = read_foreign_mask(masks[case_id], grid, dataset, values=values, name=case_id)
        else:
            mask = Mask(np.zeros(grid.shape, np.uint8), grid)
        scored.append(score_mask(case, mask, dataset.targets))
        prints.append(fingerprint(mask))
        dice = ", ".join(f"Dice {row['target']} {row['dice']:.3f}" for row in scored[-1].rows)
        logger.info("Case %s: %s", case_id, dice)
        pictures[case_id] = overlay_planes(case, mask, tuple(dataset.channels.values()), f"{case_id}: {dice}")
    return _Scored(tables_of(scored), pictures, find_copies(scored, prints))


def _against(
    rival: StoredEvaluation | str, ours: Scores, about: Mapping[str, Any]
) -> tuple[ChampionScores | None, str]:
    if isinstance(rival, str):
        return None, rival
    if rival.test_set_sha256 != about["test_set_sha256"]:
        return None, f"{rival.name} was scored on another test set; evaluate it on this one to compare."
    require_comparable(*of_shared_targets(rival.cases, ours.cases), COMPARED)
    return ChampionScores(rival.name, rival.cases), ""


def _plots(scores: Scores, results: Mapping[str, TargetResult]) -> dict[str, list[Picture]]:
    drawn = {}
    for target in results:
        table = scores.cases[scores.cases["target"] == target]
        drawn[target] = [
            Picture("Dice of each case by the tumor's size", plots.dice_by_size(table)),
            Picture("Bland-Altman: error of the volume by its size", plots.bland_altman(table)),
        ]
    return drawn


def _worst(scored: _Scored, n_worst_cases: int) -> list[tuple[str, Picture]]:
    order = scored.scores.cases.groupby("case_id")["dice"].mean().sort_values(kind="stable").index[:n_worst_cases]
    return [(case_id, Picture(f"Case {case_id}", scored.pictures[case_id])) for case_id in order]


def _write(
    output: Path, scored: _Scored, results: Mapping[str, TargetResult], about: Mapping[str, Any], content: ReportContent
) -> None:
    with replacing_folder(output) as folder:
        write_tables(folder, {"cases": scored.scores.cases, "lesions": scored.scores.lesions})
        for file, said in (
            (ABOUT, dict(about)),
            (METRICS_FILE, metrics_json(results)),
            (HEADLINE_FILE, headline_json(results)),
        ):
            (folder / file).write_text(json.dumps(said, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        for name in (OVERLAYS, PLOTS):
            (folder / name).mkdir()
        for case_id, png in scored.pictures.items():
            (folder / OVERLAYS / f"{case_id}.png").write_bytes(png)
        for target, drawn in content.plots.items():
            for number, one in enumerate(drawn):
                (folder / PLOTS / f"{number}_{key_of(target)}.png").write_bytes(one.png)
        (folder / REPORT).write_text(render_report(content), encoding="utf-8")


def _digest(masks: Mapping[str, Path]) -> str:
    """Return a sha256 over all masks: scored again, they are the same look at the test set."""
    lines = (f"{case_id} {sha256_file(path)}\n" for case_id, path in sorted(masks.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
