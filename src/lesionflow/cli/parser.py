"""Command lines: taken apart, where what is not known is named with what was probably meant, and worded so that pasted they mean the workspace in hand."""

import argparse
import difflib
import logging
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

#: Names less alike than this (1: the same) are not offered.
NEAR = 0.6
#: Of what was typed, so much is said again.
LONGEST_SAID = 60
#: A command of ours as messages give it, between backticks.
COMMAND = re.compile(r"`lesionflow ([^`]+)`")
OPTION = "--workdir"
#: Takes the words of a command behind the program's name, and an option.
Takes = Callable[[list[str], str], bool]


class Parser(argparse.ArgumentParser):
    """A parser that offers the nearest command, choice or option; those below it are of the same kind."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse what is left over here, where the command's own options are known."""
        parsed, left = super().parse_known_args(args, namespace)
        if left and self._subparsers is None:
            self._refuse(left)
        return parsed, left

    def takes(self, words: Sequence[str], option: str) -> bool:
        """Tell whether a command takes an option.

        Args:
            words: The command as typed, behind the program's name.
            option: Such as `--workdir`.
        """
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - argparse has no public name for it
                below = action.choices.get(words[0]) if words else None
                if isinstance(below, Parser) and below.takes(words[1:], option):
                    return True
        return option in self._option_string_actions

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


def wording(workdir: Path | None, takes: Takes) -> Callable[[str], str]:
    """Return what adds `--workdir` to each command of ours in a text that takes it and does not have it.

    Args:
        workdir: The workspace that the command was given; None, or the present folder, leaves texts as they are.
        takes: Whether a command takes an option.

    Examples:
        >>> words = wording(Path("/team work"), lambda command, _: command[0] == "run")
        >>> words("Give `lesionflow run`, then `lesionflow doctor`.")
        "Give `lesionflow run --workdir '/team work'`, then `lesionflow doctor`."
    """
    if workdir is None or workdir.resolve() == Path.cwd():
        return str

    def word(found: re.Match[str]) -> str:
        command = found[1].split()
        if OPTION in command or not takes(command, OPTION):
            return found[0]
        return f"`lesionflow {found[1]} {OPTION} {shlex.quote(str(workdir))}`"

    return lambda text: COMMAND.sub(word, text)


def wording_of(parsed: argparse.Namespace) -> Callable[[str], str]:
    """Return the wording of the command that runs, from `keep_wording`; without one texts stay as they are."""
    words: Callable[[str], str] = getattr(parsed, "words", str)
    return words


def keep_wording(parsed: argparse.Namespace, takes: Takes) -> Callable[[str], str]:
    """Let a command that was parsed, and what it logs, word commands for the workspace that it was given; return the wording."""
    parsed.words = wording(getattr(parsed, "workdir", None), takes)
    return wording_of(parsed)


class WordedFormatter(logging.Formatter):
    """Formats what is logged as people see it: the message alone, its commands worded."""

    def __init__(self, words: Callable[[str], str]) -> None:
        super().__init__("%(message)s")
        self._words = words

    def format(self, record: logging.LogRecord) -> str:
        """Return the message."""
        return self._words(super().format(record))
