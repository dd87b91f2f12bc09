"""Addresses and messages without the passwords in them: logs and reports are read by many."""

import os
import re
from urllib.parse import quote, quote_plus, unquote

#: An address in a text, up to what can't belong to it.
ADDRESS = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"<>`]+")
#: Parts of a query that databases and servers take for a secret.
QUERY_SECRET = re.compile(
    r"(?i)([?&;](?:[a-z_]*pass(?:word|wd)?|pwd|[a-z_]*token|[a-z_]*secret|[a-z_]*key)=)[^&;#\s'\"]*"
)
#: In what was meant as an address and is none: a user before a host, or a secret by its name.
MAY_HOLD_SECRET = re.compile(r"(?i)^(?![/.]).*:.*@|(?:pass|pwd|token|secret|key)\w*\s*=")
NOT_SHOWN = "an address without :// (not shown, as it may hold a password)"
#: Stores that are files: what looks like a user there is a folder's name.
FILES = ("sqlite", "file")
#: What mlflow reads beside the address.
VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
HIDDEN = "***"
#: A shorter secret is hidden in addresses alone: it would be found in any word.
LEAST_LENGTH = 3


def without_password(uri: str) -> str:
    """Return an address without the user and password that may stand before its host.

    Of what was meant as an address and lacks its `://`, nothing is shown where it may hold a password. One with a sign that should have been written as %XX is taken out whole: where an `@` follows a user, all before the last one is.

    Args:
        uri: Such as `https://user:password@host/path`; of a file, it is returned as it is.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator and MAY_HOLD_SECRET.search(uri):
        return NOT_SHOWN
    if not separator or scheme.split("+")[0].lower() in FILES:
        return uri
    shown = QUERY_SECRET.sub(rf"\g<1>{HIDDEN}", rest[len(_userinfo(rest)) :])
    return f"{scheme}{separator}{shown}"


def without_secrets(text: str, uri: str) -> str:
    """Return a message without secrets: of any address in it, and of this one wherever they stand.

    Args:
        text: Of an error, that may hold an address, or a password by itself.
        uri: The address whose password it may be.
    """
    for secret in sorted(_secrets(uri), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return ADDRESS.sub(lambda found: without_password(found[0]), text)


def has_unclear_password(uri: str) -> bool:
    """Tell whether a password holds a sign that ends it for some reader, so that its rest may be taken for the host or port."""
    rest = uri.partition("://")[2]
    userinfo = "" if uri.split(":", maxsplit=1)[0].split("+", maxsplit=1)[0].lower() in FILES else _userinfo(rest)[:-1]
    _, _, password = userinfo.partition(":")
    return bool(re.search(r"[@:/?#\[\]]", password)) or bool(re.search(r"[/?#@]", userinfo))


def _userinfo(rest: str) -> str:
    """Return `user:password@` of what follows `://`; empty without."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    is_host = re.fullmatch(r"(\[[^\]]*\]|[^:@]*)(:\d*)?", authority)
    return "" if is_host else rest[: rest.rfind("@") + 1]


def _secrets(uri: str) -> set[str]:
    if "://" not in uri:
        return {uri} if MAY_HOLD_SECRET.search(uri) else set()
    rest = uri.partition("://")[2]
    userinfo = _userinfo(rest)[:-1]
    passwords = {userinfo.partition(":")[2], *(os.environ.get(name, "") for name in VARIABLES)}
    passwords |= {found[0].partition("=")[2] for found in QUERY_SECRET.finditer(rest)}
    written = {form(one) for one in passwords for form in (str, unquote, quote, quote_plus)}
    return {one for one in written if len(one) >= LEAST_LENGTH}
