"""By which names and on which addresses the service answers: a page elsewhere must not reach it through a browser in here, nor a neighbor without a key."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from lesionflow.errors import ConfigError
from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.settings import ServiceSettings

HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:(?P<port>[0-9]{1,5}))?")


def require_safe_start(service: ServiceSettings, host: str) -> None:
    """Refuse to listen where neighbors could ask for studies without a key.

    Args:
        service: `access`, and where keys could be.
        host: Address to listen on.

    Raises:
        ConfigError: When it is not loopback and nobody said that somebody else asks for keys; when keys are asked for and none are kept.
    """
    if service.access == "open" and not is_loopback(host):
        raise ConfigError(
            f"Expected keys for a service that listens on {host}, found LESIONFLOW_ACCESS=open, which is for this machine alone. Set LESIONFLOW_ACCESS=keys "
            "and make some by `lesionflow serve keys add`; or LESIONFLOW_ACCESS=gateway where something in front of the service asks who comes."
        )
    if service.access == "keys" and service.state_dir is None and service.database_url is None:
        raise ConfigError(
            "Expected a place where keys are kept, found LESIONFLOW_ACCESS=keys with neither LESIONFLOW_STATE_DIR nor LESIONFLOW_DATABASE_URL. Set one."
        )


def is_loopback(host: str) -> bool:
    """Tell whether an address or name is this machine alone.

    Examples:
        >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "10.0.0.5", "example.org")]
        [True, True, True, False, False, False]
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def arrived_on(scope: Mapping[str, Any]) -> str | None:
    """Return the address of this machine that a request came to; None for a socket that only this machine has."""
    server = scope.get("server")
    return None if server is None or server[1] is None else str(server[0])


def refuse_foreign(scope: Mapping[str, Any], allowed_hosts: tuple[str, ...]) -> None:
    """Refuse a request that was sent to another name (a name of an attacker's that now leads here), or by a page of elsewhere.

    A name is ours when it is in `allowed_hosts` (`*.example.org` for all below one; `*` for any), loopback, or the very address that the request came to: no
    page can be had from a bare address of ours but our own.

    Args:
        scope: ASGI's.
        allowed_hosts: Further names.

    Raises:
        RequestRefusedError: 400 `invalid_host`, 421 `foreign_host`, 403 `foreign_origin`.
    """
    headers = Headers(scope=scope)
    sent = headers.getlist("host")
    match = HOST.fullmatch(sent[0]) if len(sent) == 1 else None
    if match is None:
        raise RequestRefusedError("Expected one header Host, found none or another.", status=400, code="invalid_host")
    if not _is_ours(match["name"], scope, allowed_hosts):
        message = (
            f"Expected a Host that is ours, found {sent[0]:.80}. The operator can allow it by LESIONFLOW_ALLOWED_HOSTS."
        )
        raise RequestRefusedError(message, status=421, code="foreign_host")
    for origin in headers.getlist("origin"):
        if not _same_or_allowed(origin, sent[0], allowed_hosts):
            message = f"Expected no page but the service's own to ask it, found {origin:.80}."
            raise RequestRefusedError(message, status=403, code="foreign_origin")


def _is_ours(name: str, scope: Mapping[str, Any], allowed_hosts: tuple[str, ...]) -> bool:
    plain = name.strip("[]").lower()
    return is_loopback(plain) or plain == (arrived_on(scope) or "").lower() or _is_listed(plain, allowed_hosts)


def _is_listed(name: str, allowed_hosts: tuple[str, ...]) -> bool:
    plain = name.lower().rstrip(".")
    return any(
        allowed in ("*", plain) or (allowed.startswith("*.") and plain.endswith(allowed[1:]))
        for allowed in allowed_hosts
    )


def _same_or_allowed(origin: str, host: str, allowed_hosts: tuple[str, ...]) -> bool:
    try:
        split = urlsplit(origin)
        name = split.hostname or ""
    except ValueError:
        return False
    if split.scheme not in ("http", "https"):
        return False
    # Behind a proxy that ends TLS the scheme differs, the name does not.
    named = [allowed for allowed in allowed_hosts if allowed != "*"]
    return split.netloc.lower() == host.lower() or _is_listed(name, tuple(named))
