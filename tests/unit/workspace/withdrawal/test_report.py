"""What is kept of a withdrawal: what went, what stays, what is to be done; nobody's name."""

import json
import subprocess

from lesionflow.registry.erasure import Learned
from lesionflow.registry.versions import RegisteredVersion
from lesionflow.workspace.withdrawal.report import (
    KUBEFLOW,
    UNNAMED_STORE,
    Withdrawal,
    git_history,
    read_report,
    report_path,
    write_report,
)

VERSION = RegisteredVersion("knees", "3", ("champion",), "run", "digest", "", "", {})


def test_a_report_for_programs_and_one_for_people_say_the_same(tmp_path):
    done = Withdrawal.of(
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


def test_a_later_call_is_joined_to_what_was_told_before_and_loses_nothing_of_it(tmp_path):
    first = Withdrawal.of(
        "ab" * 32, 2, {"files": 5, "rows": 2}, ("git: a", UNNAMED_STORE), (Learned(VERSION, "learned"),)
    )
    other = VERSION._replace(version="4", aliases=())
    later = Withdrawal.of("ab" * 32, 1, {"files": 0, "store": 7}, ("git: b", KUBEFLOW), (Learned(other, "learned"),))
    joined = later.after(first)
    assert joined.removed == {"files": 5, "rows": 2, "store": 7}
    assert (joined.n_cases, joined.kept) == (2, ("git: a", "git: b", KUBEFLOW))
    assert joined.learned == ("knees version 3: learned", "knees version 4: learned")
    assert [line.partition(":")[0] for line in joined.obligations] == [
        "knees version 3 (it is champion)",
        "knees version 4",
    ]
    # What a version obliges to is told as it is now: it may be champion no longer.
    third = Withdrawal.of("ab" * 32, 0, {}, (UNNAMED_STORE,), (Learned(VERSION._replace(aliases=()), "learned"),))
    assert third.after(joined).kept == joined.kept
    assert [line.partition(":")[0] for line in third.after(joined).obligations] == [
        "knees version 3",
        "knees version 4",
    ]
    write_report(tmp_path, joined)
    assert read_report(tmp_path, "ab" * 32) == joined
    assert read_report(tmp_path, "cd" * 32) is None


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
