"""Reports as they are told, of nobody, and hostile words for each of their places."""

import copy
import io
import json
from typing import Any

from PIL import Image

from lesionflow.serving.openapi.examples import FULL_REPORT

UNLIKE = "The study is unlike those the model was trained on, by its noise: do not rely on the mask."
HOSTILE = "</style><script>alert(1)</script><img src=//evil.example/x onerror=alert(2)>\"'&amp;\x1b[31m\x00"


def good_report() -> dict[str, Any]:
    """A report against which nothing speaks."""
    return copy.deepcopy(FULL_REPORT)


def doubtful_report() -> dict[str, Any]:
    """One of a study unlike the training data, whose mask may have failed."""
    report = good_report()
    report["input_check"] = {"score": 1.7, "flagged": True, "reasons": ["noise"]}
    report["targets"][0]["predicted_dice"]["needs_review"] = True
    report["warnings"] = [
        UNLIKE,
        "The mask of tumor may have failed, by what the model says of it: look at it before use.",
    ]
    return report


def hostile_report() -> dict[str, Any]:
    """The same with hostile words wherever a report has words."""

    def spoilt(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: spoilt(one) for key, one in value.items()}
        if isinstance(value, list):
            return [spoilt(one) for one in value]
        return HOSTILE if isinstance(value, str) else value

    report: dict[str, Any] = spoilt(doubtful_report())
    report["passport"]["created_at"] = None
    return json.loads(json.dumps(report))


def small_picture() -> bytes:
    """A PNG of 40 x 30 pixels."""
    made = io.BytesIO()
    Image.new("RGB", (40, 30), "gray").save(made, "PNG")
    return made.getvalue()
