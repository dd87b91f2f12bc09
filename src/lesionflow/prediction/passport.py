"""The passport: what a mask says of its own origin, down to the data and code that its model was trained on.

It lies inside every file that is given out and in its report; `seal` shows that a passport was changed, by whoever did not
make it anew: it is a checksum, no signature. What a forger would write anew is compared with the registry by `trace`.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from lesionflow import __version__
from lesionflow.data.bundle import Bundle
from lesionflow.prediction.mask_identity import MaskIdentity
from lesionflow.prediction.study_identity import StudyIdentity

#: Hexadecimal digits of a result's id: as many as a UUID has.
ID_DIGITS = 32
#: What tells when a passport was written, not of what: it stands in reports, not in files, whose bytes are the same each time.
UNSEALED = ("created_at", "seal")
#: Fields that came after 0.2.
LATER = ("study", "report_sha256", "header_sha256")


class Passport(BaseModel):
    """Where a mask comes from; travels inside it.

    `code_revision` and `data_revision` are those of the training; `lesionflow_version` is that of the prediction.
    `predicted_dice` by target and `unusual_input` say how far the mask may be relied on; null where the model can't tell.
    `result_id` follows from study, bundle and mask: the same study has the same one from the service and the command line.
    `picture_sha256` is over the pixels of a picture of the mask, null elsewhere; `study`, in DICOM files alone, which say whose they are; `report_sha256`, in
    reports and DICOM SR alone, over what they say; `header_sha256`, in DICOM files alone, over names, dates, codes, approvals and all else that
    they say beside. What lesionflow 0.2 wrote has no `mask`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    result_id: str = ""
    model_name: str
    model_version: str
    run_id: str
    bundle_digest: str
    plan_sha256: str
    code_revision: str
    data_revision: str
    lesionflow_version: str
    input_sha256: str
    created_at: str | None = None
    predicted_dice: dict[str, float] | None = None
    unusual_input: bool | None = None
    mask: MaskIdentity | None = None
    picture_sha256: str | None = None
    study: StudyIdentity | None = None
    report_sha256: str | None = None
    header_sha256: str | None = None
    seal: str = ""

    def sealed(self) -> "Passport":
        """Return the passport with its id and seal as they follow from the rest."""
        named = self.model_copy(update={"result_id": self._result_id()})
        return named.model_copy(update={"seal": named.expected_seal()})

    def expected_seal(self) -> str:
        """Return the seal that follows from all that is sealed."""
        content = json.dumps(self.model_dump(mode="json", exclude={*UNSEALED, *self.absent}), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def is_unchanged(self) -> bool:
        """Tell whether id and seal follow from the rest."""
        return self.seal == self.expected_seal() and self.result_id == self._result_id()

    def for_file(
        self,
        picture_sha256: str | None = None,
        study: StudyIdentity | None = None,
        report_sha256: str | None = None,
        header_sha256: str | None = None,
    ) -> str:
        """Return the text that lies inside a file: JSON in ASCII, without the time.

        Args:
            picture_sha256: Of a picture of the mask; None of the mask itself.
            study: Whose the file says it is; None where it does not say.
            report_sha256: Over the figures and words of a file that holds those instead of voxels.
            header_sha256: Over what a DICOM object says beside them.
        """
        own = {
            "created_at": None,
            "picture_sha256": picture_sha256,
            "study": study,
            "report_sha256": report_sha256,
            "header_sha256": header_sha256,
        }
        told = self.model_copy(update=own).sealed()
        return json.dumps(told.model_dump(mode="json", exclude={"created_at", *told.absent}), separators=(",", ":"))

    def for_report(self, report_sha256: str) -> "Passport":
        """Return the passport that stands in a report.

        Args:
            report_sha256: Over what the report says.
        """
        return self.model_copy(update={"report_sha256": report_sha256}).sealed()

    def in_short(self) -> str:
        """Return what finds result and model again, in a line of at most some 700 characters."""
        mask = self.mask.sha256 if self.mask else ""
        return (
            f"result {self.result_id} mask {mask} bundle {self.bundle_digest} run {self.run_id} plan {self.plan_sha256} "
            f"code {self.code_revision} data {self.data_revision} input {self.input_sha256}"
        )

    @property
    def absent(self) -> set[str]:
        """What is left out where it is not known: passports that were written before there was any have the seal that they had."""
        return {name for name in LATER if getattr(self, name) is None}

    def _result_id(self) -> str:
        of_what = (self.input_sha256, self.bundle_digest, self.mask.sha256 if self.mask else "")
        return hashlib.sha256("\n".join(of_what).encode()).hexdigest()[:ID_DIGITS]


def make_passport(
    bundle: Bundle,
    *,
    model_name: str,
    model_version: str,
    input_sha256: str,
    mask: MaskIdentity,
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
        mask: The mask, told.
        created_at: When; now, if not given.
        predicted_dice: By target.
        unusual_input: Whether the study is unlike the training data.

    Returns:
        The passport, sealed; its time is UTC, ISO 8601, to the second.
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
        mask=mask,
    ).sealed()
