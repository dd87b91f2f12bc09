"""The command becomes the receiver's own program."""

import os
import sys

import pytest

from lesionflow.cli import main


@pytest.mark.parametrize(
    ("arguments", "becomes"),
    [
        (["listen", "--config", "p.yaml"], ["listen", "--config", "p.yaml"]),
        (["send", "--config", "p.yaml", "--at", "archive", "-x.dcm"], None),
        (
            ["send", "--config", "p.yaml", "--at", "archive", "x.dcm"],
            ["send", "--config", "p.yaml", "--at", "archive", "--", "x.dcm"],
        ),
        (
            ["fetch", "--config", "p.yaml", "--at", "web", "--study", "1.2"],
            ["fetch", "--config", "p.yaml", "--at", "web", "--study", "1.2"],
        ),
    ],
)
def test_what_it_becomes(monkeypatch, arguments, becomes):
    called = []
    monkeypatch.setattr(os, "execv", lambda path, command: called.append(command))
    if becomes is None:
        with pytest.raises(SystemExit):
            main(["pacs", *arguments])
        return
    main(["pacs", *arguments])
    assert called == [[sys.executable, "-m", "lesionflow.pacs", *becomes]]
