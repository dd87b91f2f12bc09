"""How far a study is: a small file in the folder that it is worked on in, written by whichever process works, read by whoever is asked. What becomes of it does not stand there."""

import contextlib
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

NAME_OF_STAGE = "stage.json"


class StudyStage(StrEnum):
    """What is done with a study that is in work."""

    READING = "reading"
    SEGMENTING = "segmenting"
    WRITING = "writing"


@dataclass(frozen=True, slots=True)
class StageReached:
    """How far a study is.

    Args:
        stage: What is done now.
        n_done: Parts of that which are done.
        n_all: Parts of it in all; 0 when nobody knows.
    """

    stage: StudyStage
    n_done: int = 0
    n_all: int = 0

    @property
    def fraction(self) -> float | None:
        """How much of the stage is done; None when nobody knows."""
        return None if self.n_all <= 0 else min(1.0, self.n_done / self.n_all)


def tell_stage(folder: Path, reached: StageReached) -> None:
    """Write how far a study is; where that can't be written, the study goes on all the same.

    Args:
        folder: Where it is worked on.
        reached: How far.
    """
    partial = folder / f".{NAME_OF_STAGE}"
    with contextlib.suppress(OSError):
        partial.write_text(json.dumps([reached.stage, reached.n_done, reached.n_all]), encoding="utf-8")
        os.replace(partial, folder / NAME_OF_STAGE)  # noqa: PTH105 - as `io.files` does, without its flush


def prefix_of(job_id: str) -> str:
    """Return how the folders begin in which a job is worked on."""
    return f"job-{job_id}-"


def stage_reached(scratch: Path, job_id: str) -> StageReached | None:
    """Return how far a job is that this service works on; None when that is not known.

    Args:
        scratch: Where its folders are made.
        job_id: Which job.
    """
    # When it is done again by another model, the last folder is meant; the one before is gone.
    for told in scratch.glob(f"{prefix_of(job_id)}*/{NAME_OF_STAGE}"):
        try:
            stage, n_done, n_all = json.loads(told.read_text(encoding="utf-8"))
            return StageReached(StudyStage(stage), int(n_done), int(n_all))
        except (OSError, ValueError, TypeError):
            return None
    return None
