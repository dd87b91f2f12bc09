"""The manifest of a folder that holds a bundle: every file with its hash, in one signed envelope, and what the bundle is."""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lesionflow.data.seal import Seal, SealState
from lesionflow.errors import ArtifactError
from lesionflow.io.files import parse_json, replacing_file, sha256_file, unique_pairs
from lesionflow.io.signing.envelope import Sealed, read_envelope, write_envelope
from lesionflow.io.signing.keys import SigningKey, load_trusted_keys
from lesionflow.machine.faults import blame_machine

MANIFEST = "manifest.dsse.json"
#: Where an MLflow model's folder keeps the bundle.
INNER = Path("artifacts", "bundle")
#: Files of a bundle that the manifest's own facts come from.
CARD, SUMS = "card.json", "SHA256SUMS"
FACTS = ("code_revision", "data_revision", "plan_sha256", "lesionflow_version", "run_id")
#: MLflow writes this into the folder of a model that it has loaded, to remember the registered name.
OF_MLFLOW = frozenset({"registered_model_meta"})
ALLOWED = ("allowed", "refused")
EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


def sign_bundle(folder: Path, key: SigningKey | None) -> Seal:
    """Write the manifest of a folder that holds a bundle, or an MLflow model with one; an old manifest is replaced.

    Args:
        folder: Complete: no file may be added afterwards.
        key: Who signs; None for a manifest that holds the folder together, and vouches for nothing.

    Returns:
        The seal as its maker sees it: signed by a key that may be trusted or not.

    Raises:
        ArtifactError: When the folder holds no bundle, a link to a folder, or a file that can be run.
    """
    subjects = {name: sha256_file(folder / name) for name in list_bundle_files(folder) if name != MANIFEST}
    content = write_envelope(subjects, _facts(folder), key)
    with replacing_file(folder / MANIFEST) as partial:
        partial.write_bytes(content)
    state = SealState.SIGNED if key else SealState.UNSIGNED
    return Seal(state=state, key_id=key.key_id if key else "", manifest_sha256=hashlib.sha256(content).hexdigest())


def verify_bundle(folder: Path, trusted: Mapping[str, bytes] | None = None) -> Seal:
    """Verify every file of a folder against its manifest, and the manifest's signature.

    Args:
        folder: Of a bundle, or of an MLflow model with one.
        trusted: Raw public keys by id, as `load_trusted_keys` gives them; without, those of `LESIONFLOW_TRUSTED_KEYS`.

    Returns:
        Who vouches for the bytes. Without a manifest, as folders made before there were any, nobody does.

    Raises:
        ArtifactError: When a file is missing, altered, not listed, or can be run; when a byte of the manifest is another, or its signature
            is not of the key that it names. The message names the file.
    """
    trusted = load_trusted_keys() if trusted is None else trusted
    there = list_bundle_files(folder)
    if MANIFEST not in there:
        return Seal(keys_known=len(trusted))
    try:
        content = (folder / MANIFEST).read_bytes()
        sealed = read_envelope(content)
    except (OSError, ValueError, RecursionError) as error:
        blame_machine(error)
        found = "no JSON" if "json" in type(error).__module__ else error
        raise ArtifactError(
            f"Expected {MANIFEST} of {folder.name} as it was written, found {found}: altered."
        ) from error
    _compare(folder, sealed, [name for name in there if name != MANIFEST])
    state = SealState.UNSIGNED
    if sealed.key_id:
        state = SealState.TRUSTED if sealed.key_id in trusted else SealState.SIGNED
    sha256 = hashlib.sha256(content).hexdigest()
    return Seal(state=state, key_id=sealed.key_id, manifest_sha256=sha256, keys_known=len(trusted))


def require_trusted(seal: Seal, *, unsigned_bundles: str = "allowed", name: str = "the bundle") -> None:
    """Refuse what nobody who counts vouches for.

    Where trusted keys are set, only they count, whatever the change plan allows: else whoever can alter the files could take the signature away.

    Args:
        seal: Of `verify_bundle`.
        unsigned_bundles: The change plan's word: `allowed` or `refused`.
        name: What to call the bundle.

    Raises:
        ArtifactError: When it is not trusted, and trusted keys are set or the plan refuses; or when the word is neither.
    """
    if unsigned_bundles not in ALLOWED:
        raise ArtifactError(f"Expected unsigned_bundles to be one of {', '.join(ALLOWED)}, found {unsigned_bundles!r}.")
    if seal.trusted or (unsigned_bundles == "allowed" and not seal.keys_known):
        return
    why = "LESIONFLOW_TRUSTED_KEYS names" if seal.keys_known else "the change plan wants"
    advice = (
        "Register it again with LESIONFLOW_SIGNING_KEY set to the team's key, sign its folder with `lesionflow keys sign`, or choose another version."
        if seal.keys_known
        else "Set LESIONFLOW_TRUSTED_KEYS to the team's public keys, or let unsigned_bundles of change_plan.yaml allow it."
    )
    raise ArtifactError(f"Expected {name} signed by a key that {why}, found it {seal.in_words()}. {advice}")


def list_bundle_files(folder: Path) -> list[str]:
    """Return the paths of all files below a folder, sorted, but for what MLflow adds itself.

    Raises:
        ArtifactError: When one can be run, is no plain file, or a folder is a link; the message names it.
    """
    found: list[str] = []
    for base, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(base, name)
            shown = path.relative_to(folder).as_posix()
            if name in folders:
                if path.is_symlink():
                    raise ArtifactError(
                        f"Expected only files and folders in {folder.name}, found the link {shown}. Remove it."
                    )
                continue
            _require_plain(path, shown, folder.name)
            if shown not in OF_MLFLOW:
                found.append(shown)
    return sorted(found)


def _require_plain(path: Path, shown: str, name: str) -> None:
    if path.is_symlink():
        raise ArtifactError(
            f"Expected only plain files in {name}, found the link {shown}: what it leads to is none of the bundle's. Put the file itself there; where DVC made "
            "the link, `dvc config cache.type copy` and `dvc checkout --relink`."
        )
    try:
        mode = path.stat().st_mode
    except OSError as error:
        blame_machine(error)
        raise ArtifactError(f"Expected files that can be read in {name}, found {shown} that can't be.") from error
    if not stat.S_ISREG(mode):
        raise ArtifactError(f"Expected only plain files in {name}, found {shown}, which is none. Remove it.")
    if mode & EXECUTABLE:
        raise ArtifactError(
            f"Expected no file that can be run in {name}, found {shown}: nothing of a bundle is ever run. Fetch the bundle again; "
            f"where it only was copied from a disk that knows no modes, `chmod a-x` it."
        )


def _compare(folder: Path, sealed: Sealed, there: list[str]) -> None:
    if missing := sorted(set(sealed.subjects) - set(there)):
        raise ArtifactError(
            f"Expected {', '.join(missing)} in {folder.name}, as {MANIFEST} lists, found none: removed."
        )
    if extra := sorted(set(there) - set(sealed.subjects)):
        raise ArtifactError(
            f"Expected in {folder.name} only what {MANIFEST} lists, found {', '.join(extra)}: added. Remove it, or fetch the bundle again."
        )
    for name, sha256 in sealed.subjects.items():
        if sha256_file(folder / name) != sha256:
            raise ArtifactError(
                f"Expected {name} of {folder.name} to have the hash in {MANIFEST}, found another: altered."
            )
    facts = _facts(folder)
    if facts != sealed.facts:
        wrong = sorted(key for key in {*facts, *sealed.facts} if facts.get(key) != sealed.facts.get(key))
        raise ArtifactError(
            f"Expected {MANIFEST} of {folder.name} to agree with {CARD} on {', '.join(wrong)}, found others: altered."
        )


def _facts(folder: Path) -> dict[str, str]:
    """Return what the manifest says of the bundle, read from the bundle itself."""
    bundle = folder if (folder / SUMS).is_file() else folder / INNER
    try:
        card: Any = parse_json(bundle / CARD, object_pairs_hook=unique_pairs)
        facts = {name: str(card[name]) for name in FACTS}
        return {"bundle_digest": sha256_file(bundle / SUMS), **facts}
    except (OSError, ValueError, KeyError, TypeError) as error:
        blame_machine(error)
        raise ArtifactError(f"Expected a bundle with {CARD} and {SUMS} in {folder.name}, found none.") from error
