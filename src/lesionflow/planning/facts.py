"""The facts of all training cases put together, from which the plan is decided."""

from collections.abc import Sequence

import numpy as np

from lesionflow.data.fingerprint import BackgroundContrast, CaseFacts, Fingerprint
from lesionflow.planning.background import has_bright_background


def summarize_facts(facts: Sequence[CaseFacts]) -> Fingerprint:
    """Put the facts of all training cases together, in order of their ids.

    Args:
        facts: One a case, at least one.

    Returns:
        The fingerprint.
    """
    ordered = sorted(facts, key=lambda case: case.case_id)
    spacings = np.array([case.spacing_mm for case in ordered])
    bodies = np.array([case.body_shape for case in ordered]) * spacings
    spacing, body = np.median(spacings, axis=0), np.median(bodies, axis=0)
    tumors = [case.tumor_ml for case in ordered if case.tumor_ml > 0]
    return Fingerprint(
        n_cases=len(ordered),
        median_spacing_mm=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        fine_slice_spacing_mm=float(np.percentile(spacings[:, 0], 10)),
        median_body_mm=(float(body[0]), float(body[1]), float(body[2])),
        median_tumor_ml=float(np.median(tumors)) if tumors else 0.0,
        body=np.concatenate([case.body for case in ordered], axis=1),
        tumor=np.concatenate([case.tumor for case in ordered], axis=1),
        contrasts=tuple(_contrast(ordered, channel) for channel in range(len(ordered[0].body))),
    )


def _contrast(cases: Sequence[CaseFacts], channel: int) -> BackgroundContrast:
    bright = [has_bright_background(case.body[channel]) for case in cases]
    brighter = [
        np.sign(case.tumor[channel].mean() - case.body[channel].mean()) if case.tumor.shape[1] else 0.0
        for case in cases
    ]
    return BackgroundContrast(np.array(bright, dtype=bool), np.array(brighter, dtype=np.float64))
