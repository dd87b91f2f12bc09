"""Names that identify nobody and stay the same when a study is exported again."""

import hashlib
import hmac
import re

#: Hexadecimal digits of a pseudonym: 48 bits, so that a million cases collide with a chance of 0.2 %.
N_DIGITS = 12


def pseudonym(key: str, kind: str, identifier: str) -> str:
    """Return a pseudonym by keyed hash (HMAC-SHA256, RFC 2104): without the key nobody can tell whom it names.

    Args:
        key: The team's secret.
        kind: One letter, `c` for a case, `p` for a patient.
        identifier: What is hidden: a Study Instance UID, a patient ID.

    Returns:
        `<kind>-<digits>`.
    """
    digest = hmac.new(key.encode(), f"{kind}\0{identifier}".encode(), hashlib.sha256).hexdigest()
    return f"{kind}-{digest[:N_DIGITS]}"


def is_pseudonym(kind: str, name: str) -> bool:
    """Tell whether a name has the form of a pseudonym of this kind."""
    return re.fullmatch(f"{kind}-[0-9a-f]{{{N_DIGITS}}}", name) is not None
