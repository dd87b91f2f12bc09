"""The scores of three patients, small enough to check by hand."""

import numpy as np
import pandas as pd

from lesionflow.evaluation.results import Sampling
from lesionflow.evaluation.scoring import BIN_COLUMNS, DETECTION_COLUMNS, LESION_COLUMNS, Scores
from lesionflow.metrics import COUNTS, METRICS
from lesionflow.metrics.detection import THRESHOLDS

SAMPLING = Sampling(200, 0.95, 1)


def three_patients(targets=("tumor",), dice=(0.2, 0.9, 1.0), shift=0.0) -> Scores:
    """Three patients; the last has no tumor and none was found, so that lesion figures are undefined there."""
    cases, lesions, detections, bins = [], [], [], []
    for target in targets:
        for number, value in enumerate(dice):
            about = {"case_id": f"c-{number}", "patient_id": f"p-{number}", "target": target}
            empty = number == 2
            figures = {
                name: np.nan if empty and "undefined" in metric.empty else 0.5 for name, metric in METRICS.items()
            }
            figures |= dict.fromkeys(COUNTS, 0.0 if empty else 4.0)
            cases.append({**about, **figures, "dice": min(value + shift, 1.0), "hd95_mm": np.nan if empty else 7.25,
                          "seconds": 1.5, "predicted_dice": value - 0.1, "stated_coverage": 0.9, "interval_low_ml": 3.0,
                          "interval_high_ml": 5.0, "oddity": 0.5 + number})  # fmt: skip
            bins.append({**about, "bin": 12, "n": 100, "sum_probability": 80.0, "n_true": 60 + 10 * number})
            if not empty:
                lesions.append({**about, "kind": "reference", "volume_ml": 4.0, "matched": number == 1, "dice": value})
                lesions.append({**about, "kind": "predicted", "volume_ml": 40.0, "matched": True, "dice": value})
            for threshold in THRESHOLDS:
                found = int(not empty and threshold < 0.6)
                detections.append({**about, "threshold": threshold, "n_lesions": int(not empty), "n_found": found,
                                   "n_false_alarms": int(threshold < 0.3)})  # fmt: skip
    return Scores(
        pd.DataFrame(cases),
        pd.DataFrame(lesions, columns=LESION_COLUMNS),
        pd.DataFrame(detections, columns=DETECTION_COLUMNS),
        pd.DataFrame(bins, columns=BIN_COLUMNS),
    )


CASES = pd.DataFrame(
    {"case_id": ["c-0", "c-1", "c-2"], "sex": ["F", "M", "M"], "manufacturer": ["<b>A&B</b>", "C", "C"]}
)
