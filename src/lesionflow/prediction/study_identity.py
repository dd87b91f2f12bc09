"""Whose a mask is: what ties a DICOM file to its study, as hashes that give no identifier away."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from lesionflow.prediction.passport import Passport

#: The hash of images alone; all others hold it too.
IMAGES = "images"


class StudyIdentity(BaseModel):
    """Whose study a mask belongs to, told by SHA-256.

    `images` is over the SOP Instance UIDs of the images; the others are each over its own value and all these UIDs, which only who has the study knows: a
    PatientID can't be found by trying all. Series and frame of reference are UIDs too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: str
    patient: str
    study: str
    series: str
    frame_of_reference: str

    @classmethod
    def of(cls, references: Mapping[str, tuple[str, ...]]) -> "StudyIdentity":
        """Hash what a data set refers to.

        Args:
            references: Of `read_references`.
        """
        uids = references[IMAGES]
        told = {
            name.replace(" ", "_"): _sha256(name, values, uids) for name, values in references.items() if name != IMAGES
        }
        return cls(images=_sha256(IMAGES, (), uids), **told)

    def differences(self, other: "StudyIdentity") -> tuple[str, ...]:
        """Return in words what is another; where the images are, nothing else can be compared."""
        if self.images != other.images:
            return ("the images that it refers to",)
        return tuple(
            name.replace("_", " ") for name in type(self).model_fields if getattr(self, name) != getattr(other, name)
        )


def identify_study(data: Any) -> StudyIdentity:
    """Tell whose a DICOM SEG, SR or RT structure set is, by itself."""
    from lesionflow.io.dicom.writing.references import read_references

    return StudyIdentity.of(read_references(data))


def passport_into(passport: "Passport") -> Callable[[Any], None]:
    """Return what puts a passport, bound to the study that it refers to, into a DICOM data set.

    Args:
        passport: Of the mask.
    """
    from lesionflow.io.dicom.writing.content_tree import hash_content
    from lesionflow.io.dicom.writing.header_hash import hash_header
    from lesionflow.io.dicom.writing.private_text import add_private_text

    def put(data: Any) -> None:
        said = hash_content(data) if "ContentSequence" in data else None
        text = passport.for_file(study=identify_study(data), report_sha256=said, header_sha256=hash_header(data))
        add_private_text(data, text, short=passport.in_short(), software_version=passport.lesionflow_version)

    return put


def _sha256(name: str, values: tuple[str, ...], uids: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps([name, values, uids]).encode()).hexdigest()
