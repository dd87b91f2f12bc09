"""The second writer of a folder is sent away by name; a dead first one does not stay in the way."""

import subprocess
import sys
from textwrap import dedent

import pytest

from lesionflow.errors import ServiceError
from lesionflow.io.files import sha256_folder
from lesionflow.io.locks import only_writer

HOLDER = """
    import sys, time
    from pathlib import Path
    from lesionflow.io.locks import only_writer
    with only_writer(Path(sys.argv[1]), "ingest"):
        sys.stdout.write("held\\n")
        sys.stdout.flush()
        time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", dedent(HOLDER), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_is_refused_with_the_firsts_number(tmp_path, holder):
    with pytest.raises(ServiceError, match=rf"another ingest \(process {holder.pid}\)") as refusal:
        only_writer(tmp_path, "ingest").__enter__()
    assert refusal.value.exit_code == 6


def test_who_was_killed_holds_nothing(tmp_path, holder):
    holder.kill()
    holder.wait()
    with only_writer(tmp_path, "ingest"):
        assert (tmp_path / ".lock").is_file()


def test_nothing_is_left_and_nothing_counts_as_content(tmp_path):
    before = sha256_folder(tmp_path)
    with only_writer(tmp_path, "ingest"):
        assert sha256_folder(tmp_path) == before
    assert list(tmp_path.iterdir()) == []
