"""Ed25519 keys (RFC 8032) in PEM files: a private one that signs, and the public ones that are trusted."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from lesionflow.config.settings import load_key_settings
from lesionflow.errors import ConfigError
from lesionflow.machine.faults import blame_machine

PRIVATE, PUBLIC = "signing-key.pem", "signing-key.pub"
#: A PEM of one Ed25519 key has 119 bytes; a certificate chain fits, a mistaken volume does not.
MAX_KEY_BYTES = 1 << 16


@dataclass(frozen=True, repr=False, eq=False)
class SigningKey:
    """A private key; its text form shows the id alone."""

    _key: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id:.12})"

    @property
    def public_bytes(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def key_id(self) -> str:
        """What the key is called: sha256 of the public key's DER."""
        return key_id_of(self.public_bytes)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, 64 bytes; the same each time (RFC 8032)."""
        return self._key.sign(message)


def key_id_of(public_bytes: bytes) -> str:
    """Return the id of a raw public key.

    Raises:
        ValueError: When it is none.
    """
    key = Ed25519PublicKey.from_public_bytes(public_bytes)
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def is_signed_by(public_bytes: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a signature of a message is of that raw public key."""
    try:
        Ed25519PublicKey.from_public_bytes(public_bytes).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def make_keys(folder: Path) -> SigningKey:
    """Make a pair of keys: `signing-key.pem`, which only its owner can read, and `signing-key.pub`.

    Args:
        folder: Where; it is made when missing.

    Returns:
        The private key.

    Raises:
        ConfigError: When there is a key already: what it signed could never be signed again.
    """
    private, public = folder / PRIVATE, folder / PUBLIC
    if private.exists() or public.exists():
        raise ConfigError(f"Expected no key in {folder}, found {PRIVATE} or {PUBLIC}. Name another folder.")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Never readable by others, not even for a moment: the mode is that of the file's making.
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret)
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    except OSError as error:
        blame_machine(error, folder)
        raise ConfigError(f"Expected a folder to write keys to at {folder}, found: {error}. Name another.") from error
    return SigningKey(key)


def load_signing_key(path: Path | None = None) -> SigningKey | None:
    """Read the private key to sign with.

    Args:
        path: A PEM file (PKCS 8, Ed25519, without a password); without, the one that `LESIONFLOW_SIGNING_KEY` names.

    Returns:
        The key; None where none is named.

    Raises:
        ConfigError: When the file is missing or holds another kind of key.
    """
    path = path or load_key_settings().signing_key
    if path is None:
        return None
    try:
        key = load_pem_private_key(_bytes_of(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{_wanted(path, 'a private')} found none. {_ADVICE}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{_wanted(path, 'a private')} found a key of another kind. {_ADVICE}")
    return SigningKey(key)


def load_trusted_keys(path: Path | None = None) -> Mapping[str, bytes]:
    """Read the public keys whose signatures count.

    Args:
        path: A PEM file, or a folder of them (`*.pub`, `*.pem`); without, what `LESIONFLOW_TRUSTED_KEYS` names.

    Returns:
        Raw public keys by id; none where nothing is named.

    Raises:
        ConfigError: When something is named that is missing, holds no key, or holds a key of another kind: to go on without it would be
            to trust anybody.
    """
    path = path or load_key_settings().trusted_keys
    if path is None:
        return {}
    files = sorted({*path.glob("*.pub"), *path.glob("*.pem")}) if path.is_dir() else [path]
    if not files:
        raise ConfigError(f"Expected public keys (*.pub, *.pem) in LESIONFLOW_TRUSTED_KEYS {path}, found none.")
    raw = [_public_of(file) for file in files]
    return {key_id_of(one): one for one in raw}


_ADVICE = "Make a pair with `lesionflow keys new DIR`."


def _public_of(path: Path) -> bytes:
    try:
        key = load_pem_public_key(_bytes_of(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{_wanted(path, 'a public')} found none. {_ADVICE}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{_wanted(path, 'a public')} found a key of another kind. {_ADVICE}")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _wanted(path: Path, kind: str) -> str:
    return f"Expected {kind} Ed25519 key without a password in the PEM file {path},"


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEY_BYTES)
    except OSError as error:
        blame_machine(error)
        raise ConfigError(f"Expected a key in {path}, found: {error.strerror}. {_ADVICE}") from error


def require_signing_key() -> SigningKey:
    """Read the private key to sign with, which must be there.

    Raises:
        ConfigError: When `LESIONFLOW_SIGNING_KEY` names none, or one that can't be read.
    """
    key = load_signing_key()
    if key is None:
        raise ConfigError(f"Expected LESIONFLOW_SIGNING_KEY to name a private key, found nothing. {_ADVICE}")
    return key
