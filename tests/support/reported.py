"""The conditions of ../shared/data/reported as faults of the corpus; other files than ours, with their own right values."""

import json
import shutil
from functools import partial
from pathlib import Path

from faults.corpus.fault import CT, GRAY, PET, Fault, Right, Sent, ingest_section

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "reported"
#: What a client sends of them, and the reasons of a refusal; for those that stand in no `cases.json` all that is asked.
SENT = {
    "06-enhanced-pet-slope": (PET, Sent("", maximum=1.77252)),
    "09-other-frame-of-reference": (CT | PET, Sent("", refused=("other_frame_of_reference",))),
    "15-pet-time-zone": (PET, Sent("", maximum=1.657)),
    "19-positions-rounded-to-0.01": (CT, Sent("", maximum=None)),
    "21-dose-report-beside-ct": (CT, Sent("")),
    "14-png-48-bit": (GRAY, Sent({"gray": "images/a1.png"}, maximum=4094.0)),
    "31-spacing-2000mm": (CT, Sent("study.zip", refused=("implausible_spacing", "too_large"))),
    "32-spacing-1e-6mm": (CT, Sent("study.zip", refused=("implausible_spacing", "too_large"))),
    "30-gzip-bit-flipped": (CT, Sent({"CT": "bad_crc_accepted.nii.gz"}, refused=("unreadable_nifti",))),
    "33-lone-character-set": (CT, Sent("study.zip")),
    "34-unknown-vr": (CT, Sent("study.zip")),
}


def reported() -> list[Fault]:
    """Return them all; none where the data are absent."""
    if not FOLDER.is_dir():
        return []
    cases = json.loads((FOLDER / "cases.json").read_text())
    return [_fault(name, cases.get(name)) for name in sorted(cases.keys() | SENT.keys())]


def _fault(name: str, case: dict | None) -> Fault:
    channels, sent = SENT.get(name, (None, None))
    return Fault(
        name=f"reported-{name}",
        source="",
        met=name,
        answer="",
        make=partial(_copy, FOLDER / name),
        right=_right(case) if case else None,
        sent=sent,
        ingest=case["ingest"] if case else ingest_section(channels),
        preset=case["preset"] if case else "lung_2d",
    )


def _copy(folder: Path, into: Path) -> None:
    given = folder / "input"
    shutil.copytree(
        given if given.is_dir() else folder, into, dirs_exist_ok=True, ignore=shutil.ignore_patterns("README")
    )


def _right(case: dict) -> Right:
    told = case["right"]
    if case["refusal"] == "the right answer":
        return Right(refused=("other_frame_of_reference",))
    return Right(
        voxels=told.get("voxels"),
        maximum=told.get("maximum"),
        n_cases=told.get("n_cases"),
        n_patients=told.get("n_patients"),
        rejected=() if "n_rejected" in told else None,
        may_refuse=case["refusal"] == "right too",
    )
