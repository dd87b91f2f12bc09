"""The report in sentences, the same in every document. Warnings come first, and none is left out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

#: Of Unicode what is no text: control characters but for line ends and tabs, halves of pairs, and what turns the direction of text.
NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
#: What a document is called.
TITLE = "Segmentation report"
NO_CHECK = (
    "Whether the study is unlike those that the model was trained on was not checked: the model has no measure of it."
)
REVIEW = "Needs review: the mask may have failed. Look at it before use."
#: DICOM's patient coordinates (PS3.3 C.7.6.2.1.1): letters of the side that a positive and a negative coordinate lies on.
SIDES = (("L", "R"), ("P", "A"), ("H", "F"))
LESION_HEADS = (
    "Lesion", "Volume (ml)", "Longest diameter (mm)", "Perpendicular diameter (mm)", "Center (mm)", "Confidence",
)  # fmt: skip
LESION_NOTE = (
    "Largest first. Diameters as RECIST 1.1 measures them: the longest within a slice, and the longest at right angles to it there. "
    "Center in patient coordinates of DICOM: L left, R right, P posterior, A anterior, H head, F feet. "
    "Confidence: probability that it is a lesion."
)
UNKNOWN = "not known"


class TargetWords(NamedTuple):
    """A target: its name, what was found of it in sentences, whether somebody should look, and a row a lesion."""

    name: str
    sentences: tuple[str, ...]
    needs_review: bool
    lesions: tuple[tuple[str, ...], ...]


def alerts_of(report: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is to be known before anything else: all warnings of the report, and what could not be checked."""
    unchecked = (NO_CHECK,) if report.get("input_check") is None else ()
    return (*report["warnings"], *unchecked)


def doubt_of(report: Mapping[str, Any]) -> str:
    """Return what stands on the picture's frame; empty where nothing speaks against the mask."""
    check = report.get("input_check")
    unlike = ["UNLIKE TRAINING DATA: do not rely on this mask"] if check and check["flagged"] else []
    names = ", ".join(target["name"] for target in report["targets"] if _needs_review(target))
    failed = [f"NEEDS REVIEW: the mask of {names} may have failed"] if names else []
    return ". ".join([*unlike, *failed])


def target_words(target: Mapping[str, Any]) -> TargetWords:
    """Say what was found of a target."""
    sentences = [_found(target)]
    if interval := target["volume_interval"]:
        sentences.append(
            f"The volume lies between {interval['low_ml']:.2f} and {interval['high_ml']:.2f} ml with a probability of "
            f"{interval['coverage']:.0%}{_held(interval)}."
        )
    else:
        sentences.append("How far off the volume may be is not known: the model was not calibrated for it.")
    if dice := target["predicted_dice"]:
        sentences.append(
            f"The model expects a Dice of {dice['value']:.2f} of this mask; such predictions were off by "
            f"{dice['mean_absolute_error']:.2f} on average."
        )
    needs = _needs_review(target)
    if needs:
        sentences.append(REVIEW)
    lesions = tuple(_lesion(number, lesion) for number, lesion in enumerate(target["lesions"], 1))
    return TargetWords(target["name"], tuple(sentences), needs, lesions)


def place_words(center_mm: Sequence[float]) -> str:
    """Say where a place lies: `L 41.0, A 12.5, H 873.0`."""
    return ", ".join(
        f"{positive if value >= 0 else negative} {abs(value):.1f}"
        for value, (positive, negative) in zip(center_mm, SIDES, strict=True)
    )


def model_words(report: Mapping[str, Any]) -> str:
    """Say what segmented the study, and who vouches for it."""
    passport, seal = report["passport"], report.get("seal") or {}
    vouched = {
        "trusted": "signed by a key that is trusted here",
        "signed": "signed by a key that is not trusted here",
    }.get(str(seal.get("state")), "not signed")
    return f"{passport['model_name']} version {passport['model_version']}, {vouched}"


def passport_rows(report: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return what of the passport finds result, model, run, code and data again."""
    passport = report["passport"]
    mask = passport.get("mask") or {}
    named = (
        ("Result", passport.get("result_id")),
        ("Made", passport.get("created_at")),
        ("Model", f"{passport['model_name']} version {passport['model_version']}"),
        ("Run", passport.get("run_id")),
        ("Bundle", passport.get("bundle_digest")),
        ("Plan", passport.get("plan_sha256")),
        ("Code", passport.get("code_revision")),
        ("Data", passport.get("data_revision")),
        ("Study", passport.get("input_sha256")),
        ("Mask", mask.get("sha256")),
        ("lesionflow", passport.get("lesionflow_version")),
        ("Seal", passport.get("seal")),
    )
    return tuple((name, str(value)) for name, value in named if value)


def conclusion_of(report: Mapping[str, Any]) -> str:
    """Return warnings, findings and disclaimer in one text."""
    alerts = [f"WARNING: {alert}" for alert in alerts_of(report)]
    found = [
        f"{words.name}: {' '.join(words.sentences)}" for target in report["targets"] if (words := target_words(target))
    ]
    return "\n".join([*alerts, *found, report["disclaimer"]])


def _found(target: Mapping[str, Any]) -> str:
    n, volume = target["n_lesions"], target["volume_ml"]
    if n == 0:
        return "None was found."
    return f"{volume:.2f} ml in {'1 lesion' if n == 1 else f'{n} lesions'}."


def _held(interval: Mapping[str, Any]) -> str:
    low, high = interval["coverage_low"], interval["coverage_high"]
    if low is None or high is None:
        return ""
    return f" (of nine in ten models fitted so, between {low:.0%} and {high:.0%} of new patients)"


def _needs_review(target: Mapping[str, Any]) -> bool:
    dice = target["predicted_dice"]
    return bool(dice and dice["needs_review"])


def _lesion(number: int, lesion: Mapping[str, Any]) -> tuple[str, ...]:
    lengths = (lesion.get("longest_diameter_mm"), lesion.get("perpendicular_diameter_mm"))
    return (
        str(number),
        f"{lesion['volume_ml']:.2f}",
        *(UNKNOWN if length is None else f"{length:.1f}" for length in lengths),
        place_words(lesion["center_mm"]),
        f"{lesion['confidence']:.0%}",
    )
