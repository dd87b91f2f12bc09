"""Whose fault an error is: the machine's is told as such, with the advice that fits; a study's stays what it is."""

import errno
import pickle
import tempfile
from pathlib import Path

import pytest

from lesionflow.errors import MachineError, ServiceError
from lesionflow.machine.faults import blame_machine, machine_fault


@pytest.mark.parametrize(
    ("error", "code", "status", "advice"),
    [
        (OSError(errno.ENOSPC, "full"), "disk_full", 507, "Free space"),
        (OSError(errno.EDQUOT, "quota"), "disk_full", 507, "quota"),
        (OSError(errno.EFBIG, "limit"), "disk_full", 507, "file size limit"),
        (OSError(errno.EMFILE, "many"), "too_many_open_files", 503, "ulimit -n"),
        (OSError(errno.EIO, "broken"), "io_error", 503, "Check the disk"),
        (OSError(errno.EROFS, "read-only"), "no_permission", 503, "right to write there"),
        (PermissionError(errno.EACCES, "no", "/data/Doe^Jane/1.dcm"), "no_permission", 503, "/data/Doe^Jane."),
        (TimeoutError(), "timed_out", 503, "connection"),
        (MemoryError(), "out_of_memory", 503, "LESIONFLOW_WORKERS=1"),
    ],
)
def test_the_machines_faults_have_a_code_and_an_advice(error, code, status, advice):
    with pytest.raises(MachineError) as caught:
        blame_machine(error)
    assert (caught.value.code, caught.value.http_status, caught.value.exit_code) == (code, status, 6)
    assert isinstance(caught.value, ServiceError)
    assert advice in str(caught.value)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        None,
        ValueError("no number"),
        EOFError(),
        OSError("Not a gzipped file"),
        OSError(errno.ENAMETOOLONG, "long"),
        FileNotFoundError(errno.ENOENT, "none"),
        FileExistsError(errno.EEXIST, "twice"),
        IsADirectoryError(errno.EISDIR, "folder"),
        OSError(errno.EINVAL, "odd"),
    ],
)
def test_a_studys_faults_are_none_of_the_machine(error):
    blame_machine(error)
    assert machine_fault(error) is None


def test_a_fault_that_a_library_wrapped_is_found():
    outer = ValueError("cannot write")
    outer.__cause__ = OSError(errno.ENOSPC, "full")
    assert machine_fault(outer).code == "disk_full"
    outer = ValueError("cannot write")
    outer.__context__ = MemoryError()
    assert machine_fault(outer).code == "out_of_memory"


def test_the_place_is_told_and_else_the_folder_for_temporary_files():
    full = OSError(errno.ENOSPC, "full")
    assert "at /scratch." in str(machine_fault(full, Path("/scratch")))
    assert f"at {tempfile.gettempdir()}." in str(machine_fault(full))
    assert "at /data/cases." in str(machine_fault(OSError(errno.ENOSPC, "full", "/data/cases/Doe.nii")))


def test_only_the_disk_of_temporary_files_may_be_another():
    assert "TMPDIR" in str(machine_fault(OSError(errno.ENOSPC, "full")))
    assert "TMPDIR" not in str(machine_fault(OSError(errno.ENOSPC, "full"), Path("/data/cases")))


def test_a_file_that_may_not_be_read_is_told_by_its_number_and_not_its_name(tmp_path):
    for name in ("Able.dcm", "Doe^Jane.dcm", "Roe.dcm"):
        (tmp_path / name).touch()
    told = str(machine_fault(PermissionError(errno.EACCES, "no", str(tmp_path / "Doe^Jane.dcm"))))
    assert f"no permission at file 2 of 3 (by name) in {tmp_path}. Give this user the right to read it" in told
    assert "Doe" not in told
    assert "write" not in told


def test_its_code_and_status_survive_the_way_home_from_a_worker():
    back = pickle.loads(pickle.dumps(MachineError("Full.", code="disk_full")))
    assert (str(back), back.code, back.http_status) == ("Full.", "disk_full", 507)
