"""Command lines that are taken apart: what is not known is named with what was probably meant."""

import argparse
import difflib
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

#: Names less alike than this (1: the same) are not offered.
NEAR = 0.6
#: Of what was typed, so much is said again.
LONGEST_SAID = 60


class Parser(argparse.ArgumentParser):
    """A parser that offers the nearest command, choice or option; those below it are of the same kind."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse what is left over here, where the command's own options are known."""
        parsed, left = super().parse_known_args(args, namespace)
        if left and self._subparsers is None:
            self._refuse(left)
        return parsed, left

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        is_command = isinstance(action, argparse._SubParsersAction)  # noqa: SLF001 - argparse has no public name for it
        ways = f"`{self.prog} --help` lists all." if is_command else f"Choose from {', '.join(known)}."
        raise argparse.ArgumentError(
            None if is_command else action,
            f"unknown {'command' if is_command else 'choice'} {value!r:.{LONGEST_SAID}}. {offer(str(value), known)}{ways}",
        )

    def _refuse(self, left: Sequence[str]) -> NoReturn:
        known = list(self._option_string_actions)
        options = [word.partition("=")[0] for word in left if word.startswith("-")]
        said = " ".join(left)
        hint = next((words for option in options if (words := offer(option, known))), "")
        self.error(f"not understood: {said:.{LONGEST_SAID}}. {hint}`{self.prog} --help` lists all options.")


def offer(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the known name nearest to the one given, and a space; empty where none is near.

    Examples:
        >>> offer("predct", ["predict", "promote"])
        'Did you mean predict? '
        >>> offer("x", ["predict", "promote"])
        ''
    """
    near = difflib.get_close_matches(name[:LONGEST_SAID], list(known), n=1, cutoff=NEAR)
    return f"Did you mean {near[0]}? " if near else ""
