"""The passport: what a mask says of its own origin, down to the data and code that its model was trained on."""

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from lesionflow import __version__
from lesionflow.data.bundle import Bundle


class Passport(BaseModel):
    """Where a mask comes from; travels beside it.

    `code_revision` and `data_revision` are those of the training; `lesionflow_version` is that of the prediction.
    `predicted_dice` by target and `unusual_input` say how far the mask may be relied on; null where the model can't tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_name: str
    model_version: str
    run_id: str
    bundle_digest: str
    plan_sha256: str
    code_revision: str
    data_revision: str
    lesionflow_version: str
    input_sha256: str
    created_at: str
    predicted_dice: dict[str, float] | None = None
    unusual_input: bool | None = None


def make_passport(
    bundle: Bundle,
    *,
    model_name: str,
    model_version: str,
    input_sha256: str,
    created_at: datetime | None = None,
    predicted_dice: Mapping[str, float] | None = None,
    unusual_input: bool | None = None,
) -> Passport:
    """Write the passport of one mask.

    Args:
        bundle: The model that made it.
        model_name: The registered model's name.
        model_version: Its version in the registry, or what stands for it.
        input_sha256: Hash over the bytes of the study.
        created_at: When; now, if not given.
        predicted_dice: By target.
        unusual_input: Whether the study is unlike the training data.

    Returns:
        The passport; its time is UTC, ISO 8601, to the second.
    """
    made = (created_at or datetime.now(UTC)).astimezone(UTC)
    return Passport(
        model_name=model_name,
        model_version=model_version,
        run_id=bundle.card.run_id,
        bundle_digest=bundle.digest,
        plan_sha256=bundle.card.plan_sha256,
        code_revision=bundle.card.code_revision,
        data_revision=bundle.card.data_revision,
        lesionflow_version=__version__,
        input_sha256=input_sha256,
        created_at=made.isoformat(timespec="seconds"),
        predicted_dice=dict(predicted_dice) if predicted_dice else None,
        unusual_input=unusual_input,
    )
