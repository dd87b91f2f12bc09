"""What all sections are made of: the base class, the ranges, and what a change of a key makes anew.

Each key is described once, in the docstring below its field: `lesionflow params explain` and `docs/params.md` read it there. A
value that can change a mask or a decision lives in params.yaml and has no default here.
"""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]
#: 255 marks voxels that are not known (`data.volume.IGNORED`).
Label = Annotated[int, Field(ge=1, le=254)]
Triple = tuple[Positive, Positive, Positive]
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
Level = Annotated[float, Field(gt=0.0, lt=1.0)]
ChannelKind = Literal["ct", "pet", "mr", "picture"]
Auto = Literal["auto"]
Severity = Literal["fail", "quarantine", "warn", "off"]


class MadeAnew(StrEnum):
    """What the next run makes anew when a key changes; a key says it as a mark of its type, else its section does."""

    CASES = "Every study is read again; arrays, plan and training follow where that gives other cases."
    CHECKS = "The cases are checked again; all else stays, unless other cases come into quarantine."
    SPLIT = (
        "The split is made again, its test patients as they are; where it changes, the plan is measured again and training "
        "starts anew."
    )
    ARRAYS = "The plan is decided again; where it changes, every array is made anew and training starts anew."
    PLAN = "The plan is decided again; where it changes, training starts anew. Arrays stay."
    LIMIT = "Only the limit is checked again. Arrays stay."
    TRAINING = "Training starts anew. Plan and arrays stay."
    SCORES = "The model is scored again. It stays as it is."
    REGISTRATION = "The model is registered under the name, and judged for promotion there. It stays as it is."
    DECISION = "The promotion is decided again. The model stays as it is."


def in_order(limits: Any) -> Any:
    """Refuse two limits of which the first is above the second; `auto` has none."""
    if isinstance(limits, tuple) and limits[0] > limits[1]:
        raise ValueError(f"expected the smaller before the larger, found {limits[0]:g} and {limits[1]:g}")
    return limits


class Section(BaseModel):
    """Base of all sections: frozen, strict about names; every number is finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    made_anew: ClassVar[MadeAnew]
