"""Where attestations lie: a file for each thing that a step made, named by what it attests, so that a result made twice or brought back finds its own."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from lesionflow.io.attestations.chain import Chain, read_lines, verify_chain
from lesionflow.io.attestations.statements import Attestation, read_statement
from lesionflow.io.files import write_text
from lesionflow.machine.faults import blame_machine

FOLDER, ENDING = "attestations", ".intoto.jsonl"
#: The file of a registered version that holds those of all steps behind it; what its step `register` calls the bundle that it registers.
CHAIN, REGISTERED = "attestations.intoto.jsonl", "registered"
#: Longer chains than any pipeline of ours has.
MOST_STEPS = 64
#: Of one thing made again and again, of the same or of other things, so many ways are kept.
MOST_WAYS = 4


def keep_statement(folder: Path, line: str) -> None:
    """Write a step's line under the name of each thing that it attests; what can't be read is not kept.

    Args:
        folder: Where.
        line: Of `write_statement`.
    """
    try:
        told = read_statement(line)
    except ValueError:
        return
    for name, sha256 in told.subjects.items():
        path = folder / _name(name, sha256)
        others = [one for one in _lines_in(path) if one != line and not _is_again(one, told)]
        write_text(path, write_chain([*others, line][-MOST_WAYS:]))


def find_statements(folders: Iterable[Path], wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Return the lines of the steps behind some things, as far as they are known.

    A thing that nobody attests with these bytes is looked for by its name, so that who reads the lines can say that it was altered.

    Args:
        folders: Where to look, in this order.
        wanted: sha256 by name.
    """
    places, lines, waiting = tuple(dict.fromkeys(folders)), dict[str, None](), list(wanted.items())
    seen = set(waiting)
    while waiting and len(lines) < MOST_STEPS:
        for line in _lines_of(places, *waiting.pop(0)):
            if line in lines:
                continue
            lines[line] = None
            new = [item for item in _materials_of(line).items() if item not in seen]
            waiting += new
            seen |= set(new)
    return tuple(lines)


def _materials_of(line: str) -> Mapping[str, str]:
    try:
        return read_statement(line).materials
    except ValueError:
        return {}


def _is_again(line: str, told: Attestation) -> bool:
    """Tell whether a line attests the same step of the same things, at another time."""
    try:
        known = read_statement(line)
    except ValueError:
        return True
    return replace(known, started_on=told.started_on, finished_on=told.finished_on) == told


def _lines_of(places: Iterable[Path], name: str, sha256: str) -> list[str]:
    others: list[Path] = []
    for place in places:
        if exact := _lines_in(place / _name(name, sha256)):
            return exact
        others += sorted(place.glob(f"{name}.*{ENDING}"), key=lambda path: path.stat().st_mtime_ns)
    return _lines_in(others[-1])[-1:] if others else []


def _lines_in(path: Path) -> list[str]:
    """Return the lines of a file, none where there is none."""
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        blame_machine(error)
        return []


def _name(name: str, sha256: str) -> str:
    return f"{name}.{sha256}{ENDING}"


def write_chain(lines: Iterable[str]) -> str:
    """Return the text of a file of attestations, an in-toto bundle: one a line."""
    return "".join(f"{line}\n" for line in lines)


def read_chain(folder: Path, bundle_digest: str, trusted: Collection[str]) -> Chain | None:
    """Follow a registered bundle back to the studies, by the attestations that lie with it.

    Args:
        folder: All that is kept of the version.
        bundle_digest: The bundle's.
        trusted: Ids of the keys whose signatures count; where there are any, every step must be signed by one of them.

    Returns:
        The chain; None where the version was registered without attestations.
    """
    path = folder / CHAIN
    if not path.is_file():
        return None
    return verify_chain(read_lines(_lines_in(path)), {REGISTERED: bundle_digest}, trusted)
