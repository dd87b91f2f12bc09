"""The seal of a bundle: who vouches for its bytes, if anybody."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

#: Digits of a key's id that people are shown.
SHOWN_KEY_ID = 12


class SealState(StrEnum):
    """Whose signature a bundle carries: of a key that is trusted here, of one that nobody here knows, or none."""

    TRUSTED = "trusted"
    SIGNED = "signed"
    UNSIGNED = "unsigned"


class Seal(BaseModel):
    """What verifying a bundle's manifest came to.

    `key_id`: sha256 of the public key's DER (SubjectPublicKeyInfo, RFC 8410), empty where nobody signed. `manifest_sha256`: of the manifest's
    bytes, empty where there is none, as with bundles made before there were any. `keys_known`: how many keys are trusted here.

    Examples:
        >>> Seal().in_words()
        'unsigned'
        >>> Seal(state=SealState.SIGNED, key_id="ab" * 32).in_words()
        'signed by the key abababababab, which is not among those trusted here'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: SealState = SealState.UNSIGNED
    key_id: str = ""
    manifest_sha256: str = ""
    keys_known: int = 0

    @property
    def trusted(self) -> bool:
        """Whether a key that is trusted here vouches for every byte."""
        return self.state is SealState.TRUSTED

    def in_words(self) -> str:
        """Return what people are told: who signed, and whether that counts."""
        shown = f"{self.key_id:.{SHOWN_KEY_ID}}"
        if self.state is SealState.UNSIGNED:
            return "unsigned"
        if self.trusted:
            return f"signed by the trusted key {shown}"
        return f"signed by the key {shown}, which is not among those trusted here"
