"""The report as documents for people and for other systems, each made of the report's JSON alone when it is asked for, not before.

A new one is a row here and a module that makes it. Figures are not worked out here: what a document says, the report says. Masks are not made here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

#: The policy of what is no page: nothing is loaded for it, and no other page frames it.
NOTHING = "default-src 'none'; frame-ancestors 'none'; sandbox"


@dataclass(frozen=True)
class ReportDocument:
    """One form of the report.

    Args:
        name: What `?format=` takes.
        summary: What it is, in a line of the documentation's table.
        media_type: What HTTP calls it.
        accepted: What `Accept` may name to get it.
        suffix: What names of its files end with.
        module: Where its `make_<module>` and `content_policy` live, below this package; loaded when it is asked for.
        shows_picture: Whether the overlay stands in it.
    """

    name: str
    summary: str
    media_type: str
    accepted: tuple[str, ...]
    suffix: str
    module: str
    shows_picture: bool = True

    def make(self, report: Mapping[str, Any], picture: bytes | None = None) -> bytes:
        """Make it.

        Args:
            report: As `Report` is told in JSON; more fields are passed over.
            picture: The overlay as PNG; None where there is none.
        """
        make: Callable[[Mapping[str, Any], bytes | None], bytes] = getattr(self._module(), f"make_{self.module}")
        return make(report, picture)

    def content_policy(self) -> str:
        """Return the Content-Security-Policy that it is served with."""
        policy = getattr(self._module(), "content_policy", None)
        return str(policy()) if policy else NOTHING

    def _module(self) -> Any:
        return import_module(f"{__name__}.{self.module}")


#: By name.
DOCUMENTS: Mapping[str, ReportDocument] = {
    one.name: one
    for one in (
        ReportDocument(
            "html", "a page to read and to print, whole in one file", "text/html", ("text/html", "application/xhtml+xml"),
            ".html", "report_page",
        ),
        ReportDocument(
            "pdf", "the same as pages of A4", "application/pdf", ("application/pdf",), ".pdf", "report_sheet",
        ),
        ReportDocument(
            "fhir", "FHIR R4 `DiagnosticReport`, preliminary, with an `Observation` a target and a lesion",
            "application/fhir+json", ("application/fhir+json",), ".fhir.json", "diagnostic_report", shows_picture=False,
        ),
    )
}  # fmt: skip
