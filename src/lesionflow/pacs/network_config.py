"""Who may send what, which service it goes to, and where results go: one YAML file, checked as params are."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from lesionflow.config.loading import read_section
from lesionflow.config.sections.section import Section

BYTES_PER_MB = 1_000_000
#: PS3.5 6.2, AE: no backslash, no control characters; blanks at either end mean nothing.
AeTitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[!-\[\]-~]([ -\[\]-~]*[!-\[\]-~])?$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Format = Literal["dicom-seg", "rtstruct", "dicom-sr"]


class TlsFiles(Section):
    """Certificate and key of this side, and whose certificates are believed (PS3.15 B.12)."""

    certificate: Path
    key: Path
    authorities: Path


class Listening(Section):
    """How this receiver is called, where it listens, and what it takes at most."""

    ae_title: AeTitle = "LESIONFLOW"
    host: str = "127.0.0.1"
    port: Port = 11112
    tls: TlsFiles | None = None
    max_associations: Annotated[int, Field(ge=1, le=100)] = 8
    max_object_mb: Annotated[int, Field(ge=1)] = 1024
    max_objects: Annotated[int, Field(ge=1)] = 20_000
    max_spool_mb: Annotated[int, Field(ge=1)] = 50_000
    min_free_mb: Annotated[int, Field(ge=0)] = 1000
    timeout_s: Annotated[float, Field(gt=0)] = 60.0


class Peer(Section):
    """Who may send: a name, and the addresses that it calls from; both must fit."""

    ae_title: AeTitle
    addresses: Annotated[tuple[str, ...], Field(min_length=1)]

    @field_validator("addresses")
    @classmethod
    def _networks(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            ipaddress.ip_network(address)
        return addresses

    def is_at(self, address: str) -> bool:
        """Tell whether it may call from an address."""
        one = ipaddress.ip_address(address)
        mapped = getattr(one, "ipv4_mapped", None) or one
        return any(mapped in ipaddress.ip_network(network) for network in self.addresses)


class Destination(Section):
    """Where results go: by C-STORE to `ae_title`, `host` and `port`, or by STOW-RS to `url`."""

    ae_title: AeTitle | None = None
    host: str | None = None
    port: Port | None = None
    tls: TlsFiles | None = None
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_name = (self.ae_title, self.host, self.port)
        if (self.url is None) == (None in by_name) or (self.url is not None and any(by_name)):
            raise ValueError("give either ae_title, host and port, or url")
        return self


class ServiceAddress(Section):
    """The service that segments, and the file with its API key where it asks for one."""

    url: Annotated[str, Field(pattern=r"^https?://")] = "http://127.0.0.1:3000"
    key_file: Path | None = None


class WantedSeries(Section):
    """Which series of a study is meant: all that is given must fit; the one of most slices is taken."""

    modality: Annotated[str, Field(pattern=r"^[A-Z]{2,16}$")]
    description: str = ""
    plane: Literal["axial", "coronal", "sagittal", ""] = ""
    min_slices: Annotated[int, Field(ge=1)] = 1

    @field_validator("description")
    @classmethod
    def _expression(cls, description: str) -> str:
        try:
            re.compile(description)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return description


class StudyRule(Section):
    """A study that has each of these series goes to a service, and what it answers with to destinations."""

    name: Name
    series: Annotated[tuple[WantedSeries, ...], Field(min_length=1)]
    service: ServiceAddress = ServiceAddress()
    formats: Annotated[tuple[Format, ...], Field(min_length=1)] = ("dicom-seg", "rtstruct", "dicom-sr")
    destinations: Annotated[tuple[Name, ...], Field(min_length=1)]


class NetworkConfig(Section):
    """The whole file.

    Args:
        spool: The folder where everything waits that was answered for.
        quiet_s: A study without a further object for so long, and without an open association, is complete.
        broken_quiet_s: So long where the last association was cut off, or the receiver was killed: the sender may begin again.
        remember_days: How long a study that was done is known, and not done again when it comes again.
    """

    spool: Path
    listen: Listening = Listening()
    peers: tuple[Peer, ...] = ()
    destinations: dict[Name, Destination] = Field(default_factory=dict)
    rules: tuple[StudyRule, ...] = ()
    quiet_s: Annotated[float, Field(gt=0)] = 10.0
    broken_quiet_s: Annotated[float, Field(gt=0)] = 120.0
    remember_days: Annotated[float, Field(gt=0)] = 30.0

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names = [rule.name for rule in self.rules]
        if len(names) != len(set(names)):
            raise ValueError("two rules of one name")
        unknown = {name for rule in self.rules for name in rule.destinations} - set(self.destinations)
        if unknown:
            raise ValueError(f"rules name destinations that are not there: {', '.join(sorted(unknown))}")
        return self


def read_network_config(path: Path) -> NetworkConfig:
    """Read the file.

    Args:
        path: The file; paths in it are taken from its folder.

    Raises:
        ConfigError: When it can't be read or does not fit.
    """
    config = read_section(path, NetworkConfig, "PACS file", "docs/pacs.md has one to begin with.")
    return config.model_copy(update={"spool": path.parent / config.spool})


def read_secret(path: Path | None) -> SecretStr | None:
    """Read a file that holds a key or a password and nothing else; None where none is named."""
    return None if path is None else SecretStr(path.read_text(encoding="utf-8").strip())
