"""Which backend a bundle's network runs on, decided by its masks and its time on validation cases."""

import logging
import time
from collections.abc import Callable, Sequence

import numpy as np

from lesionflow.data.bundle import Bundle
from lesionflow.data.calibration import BackendChoice
from lesionflow.data.case import Case
from lesionflow.inference.backends import OPENVINO, PYTORCH, is_available, version
from lesionflow.inference.golden import check_golden
from lesionflow.inference.segmenter import Segmentation, Segmenter
from lesionflow.metrics.overlap import count, dice

#: What the other backend's masks must share with PyTorch's, in every case.
LEAST_EQUAL_FRACTION, LEAST_DICE = 0.9999, 0.9995
#: It must save this share of the whole time from study to mask.
LEAST_SAVING = 0.15
#: Cases compared.
MOST_CASES = 3
#: No further case after this many seconds, and no case that PyTorch does not end within them.
LONGEST_S = 120.0
logger = logging.getLogger(__name__)

ReadCase = Callable[[str], Case]


def choose_backend(bundle: Bundle, read_case: ReadCase, case_ids: Sequence[str]) -> BackendChoice | None:
    """Segment validation cases on the CPU by PyTorch and by OpenVINO, and choose.

    Args:
        bundle: With its calibration: the masks compared are those that will be served; and with its golden cases, which OpenVINO must
            answer as PyTorch did.
        read_case: Gives a case by its id.
        case_ids: Validation cases; the first few are taken.

    Returns:
        The choice with its figures; None where there is nothing to compare: OpenVINO is not installed, or one case takes
        minutes on this CPU.
    """
    if not is_available(OPENVINO):
        logger.info("openvino is not installed: PyTorch runs the network")
        return None
    segmenters = [Segmenter(bundle, device="cpu", backend=name) for name in (PYTORCH, OPENVINO)]
    if segmenters[1].backend != OPENVINO:
        return None
    equal, overlap, seconds = [], [], np.zeros(2)
    for case_id in case_ids[:MOST_CASES]:
        case = read_case(case_id)
        try:
            ours, theirs = (_timed(segmenter, case) for segmenter in segmenters)
        except TimeoutError:
            logger.info("a case takes longer than %.0f s on this CPU: backends are not compared", LONGEST_S)
            return None
        seconds += [sum(found.timings_s.values()) for found in (ours, theirs)]
        same, shared = _compare(ours, theirs, bundle)
        equal.append(same)
        overlap.append(shared)
        if seconds.sum() > LONGEST_S:
            break
    if not equal:
        return None
    same_golden = check_golden(segmenters[1], bundle.golden).holds
    good = same_golden and min(equal) >= LEAST_EQUAL_FRACTION and min(overlap) >= LEAST_DICE
    faster = seconds[1] <= (1.0 - LEAST_SAVING) * seconds[0]
    return BackendChoice(
        name="openvino" if good and faster else "pytorch",
        compared=f"{OPENVINO} {version(OPENVINO)}",
        n_cases=len(equal),
        equal_fraction=min(equal),
        dice=min(overlap),
        seconds=round(float(seconds[1]), 3),
        seconds_pytorch=round(float(seconds[0]), 3),
    )


def _timed(segmenter: Segmenter, case: Case) -> Segmentation:
    began = time.perf_counter()

    def progress(_: int, __: int) -> None:
        if time.perf_counter() - began > LONGEST_S:
            raise TimeoutError

    return segmenter.segment(case.volume, case_id=case.case_id, progress=progress)


def _compare(ours: Segmentation, theirs: Segmentation, bundle: Bundle) -> tuple[float, float]:
    """Return the share of voxels with the same label, and the least Dice over targets."""
    one, other = ours.mask.labels, theirs.mask.labels
    scores = [dice(count(np.isin(one, t.labels), np.isin(other, t.labels))) for t in bundle.plan.targets]
    return float((one == other).mean()), float(min(scores))
