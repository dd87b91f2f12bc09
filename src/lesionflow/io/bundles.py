"""The bundle on disk: `plan.json`, `weights.safetensors`, `card.json`, `SHA256SUMS`. Never a pickle."""

import hashlib
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from lesionflow.data.bundle import Bundle, Card
from lesionflow.data.plan import Plan
from lesionflow.errors import ArtifactError
from lesionflow.io.storage import replacing_folder, sha256_file

PLAN, WEIGHTS, CARD, SUMS = "plan.json", "weights.safetensors", "card.json", "SHA256SUMS"


def write_bundle(folder: Path, bundle: Bundle) -> str:
    """Write a bundle, whole or not at all.

    Args:
        folder: Where; an old bundle there is replaced.
        bundle: What.

    Returns:
        The bundle's digest.
    """
    with replacing_folder(folder) as partial:
        (partial / PLAN).write_text(bundle.plan.model_dump_json(indent=2) + "\n", encoding="utf-8")
        (partial / CARD).write_text(bundle.card.model_dump_json(indent=2) + "\n", encoding="utf-8")
        save_file(bundle.weights, partial / WEIGHTS)
        sums = "".join(f"{sha256_file(partial / name)}  {name}\n" for name in (CARD, PLAN, WEIGHTS))
        (partial / SUMS).write_text(sums, encoding="utf-8")
    return hashlib.sha256(sums.encode()).hexdigest()


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle and verify every byte of it.

    Raises:
        ArtifactError: When a file is missing, altered, or of another format; the message says which.
    """
    try:
        sums = (folder / SUMS).read_text(encoding="utf-8")
        for line in sums.splitlines():
            expected, name = line.split(maxsplit=1)
            if name not in (CARD, PLAN, WEIGHTS) or sha256_file(folder / name) != expected:
                raise ArtifactError(
                    f"Expected {name} of the bundle {folder.name} to have its recorded hash, found another: altered."
                )
        if {line.split(maxsplit=1)[1] for line in sums.splitlines()} != {CARD, PLAN, WEIGHTS}:
            raise ArtifactError(
                f"Expected hashes of {CARD}, {PLAN} and {WEIGHTS} in {SUMS} of {folder.name}, found others."
            )
        plan = Plan.model_validate_json((folder / PLAN).read_text(encoding="utf-8"))
        card = Card.model_validate_json((folder / CARD).read_text(encoding="utf-8"))
        weights = load_file(folder / WEIGHTS)
    except (OSError, ValueError, ValidationError, SafetensorError) as error:
        raise ArtifactError(f"Expected a bundle in {folder}, found: {error}. Train again or fetch it again.") from error
    if plan.digest() != card.plan_sha256:
        raise ArtifactError(f"Expected the plan of bundle {folder.name} to be the one its card names, found another.")
    return Bundle(plan, weights, card, hashlib.sha256(sums.encode()).hexdigest())
