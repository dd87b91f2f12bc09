"""What is kept of a withdrawal: what went, what stays, what is to be done; nobody's name."""

import json
import subprocess

from lesionflow.registry.erasure import Learned
from lesionflow.registry.versions import RegisteredVersion
from lesionflow.workspace.withdrawal.report import Withdrawal, git_history, report_path, write_report

VERSION = RegisteredVersion("knees", "3", ("champion",), "run", "digest", "", "", {})


def test_a_report_for_programs_and_one_for_people_say_the_same(tmp_path):
    done = Withdrawal(
        "ab" * 32, 2, {"files": 5}, ("a remote: do this",), (Learned(VERSION, "learned from the patient"),)
    )
    path = write_report(tmp_path, done)
    assert path == report_path(tmp_path, "ab" * 32)
    told = json.loads(path.with_suffix(".json").read_text())
    assert (told["n_cases"], told["removed"], told["kept"]) == (2, {"files": 5}, ["a remote: do this"])
    page = path.read_text()
    for line in ("files: 5", "a remote: do this", told["obligations"][0]):
        assert line in page
    assert "knees version 3 (it is champion): learned from the patient" in told["obligations"][0]


def test_commits_that_name_somebody_are_found_and_those_that_do_not_are_not(tmp_path):
    assert git_history(tmp_path, ("Anna",)) == ()

    def git(*words):
        identity = ["-c", "user.name=n", "-c", "user.email=e@e"]
        done = subprocess.run(["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    commits = []
    for text in ("Berta", "Anna"):
        (tmp_path / "a.txt").write_text(text)
        git("add", "a.txt")
        git("commit", "-q", "-m", "m")
        commits.append(git("log", "-1", "--format=%h"))
    (told,) = git_history(tmp_path, ("Anna",))
    assert commits[1] in told
    assert commits[0] not in told
