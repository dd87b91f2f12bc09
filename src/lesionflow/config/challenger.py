"""challenger.yaml: why a workspace trains anew, and from which weights, where the command does not say."""

from enum import StrEnum
from pathlib import Path

from lesionflow.config.loading import read_section
from lesionflow.config.sections.section import Section

CHALLENGER = "challenger.yaml"


class Trigger(StrEnum):
    """Why a model is trained anew."""

    DATA = "data"
    SCHEDULE = "schedule"
    DRIFT = "drift"
    HAND = "hand"


class InitialWeights(StrEnum):
    """From which weights a challenger starts; `both` makes two challengers, one after the other."""

    CHAMPION = "champion"
    SCRATCH = "scratch"
    BOTH = "both"


class ChallengerRequest(Section):
    """What `lesionflow retrain` makes where its options do not say."""

    because: Trigger
    """Why: `data` (new or corrected studies), `schedule`, `drift`, or `hand`."""
    initial_weights: InitialWeights
    """`champion`: train.transfer.source becomes the champion's version; `scratch`: `none`; `both`: a challenger of each."""


def read_challenger(folder: Path) -> ChallengerRequest | None:
    """Read a workspace's challenger.yaml; None where there is none.

    Raises:
        ConfigError: When it does not fit; the message lists each key that is missing, unknown or out of range.
    """
    path = folder / CHALLENGER
    return read_section(path, ChallengerRequest, "challenger file", "") if path.exists() else None
