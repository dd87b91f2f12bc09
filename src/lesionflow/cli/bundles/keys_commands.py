"""`lesionflow keys`: the pair by which a team seals its bundles."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add_commands(commands: Any) -> None:
    """Add `keys`."""
    keys = commands.add_parser("keys", help="keys that seal bundles: new, sign")
    actions = keys.add_subparsers(required=True, metavar="ACTION")
    new = actions.add_parser("new", help="make a pair: a private key that signs, and a public one that others trust")
    new.add_argument("folder", type=Path, metavar="DIR", help="where; keep it outside of any workspace")
    new.set_defaults(run=_new)
    sign = actions.add_parser("sign", help="seal a bundle's folder with the key that LESIONFLOW_SIGNING_KEY names")
    sign.add_argument("folder", type=Path, metavar="BUNDLE", help="the folder, which is verified first")
    sign.set_defaults(run=_sign)


def _new(parsed: argparse.Namespace) -> int:
    from lesionflow.io.signing.keys import PRIVATE, PUBLIC, make_keys

    key = make_keys(parsed.folder)
    sys.stdout.write(
        f"{parsed.folder / PRIVATE}: the private key {key.key_id:.12}. Whoever has it can sign in the team's name: it belongs in no "
        "repository. Sign with LESIONFLOW_SIGNING_KEY set to it.\n"
        f"{parsed.folder / PUBLIC}: its public key, for everybody. Where LESIONFLOW_TRUSTED_KEYS names it, nothing else is predicted with, "
        "served or promoted.\n"
    )
    return 0


def _sign(parsed: argparse.Namespace) -> int:
    from lesionflow.io.signing.bundle_manifest import sign_bundle
    from lesionflow.io.signing.keys import require_signing_key
    from lesionflow.io.stores.bundles import read_bundle

    key = require_signing_key()
    bundle = read_bundle(parsed.folder)
    sys.stdout.write(
        f"{parsed.folder}: bundle {bundle.digest:.12}, {sign_bundle(parsed.folder, key).key_id:.12} signs; it was {bundle.seal.in_words()}.\n"
    )
    return 0
