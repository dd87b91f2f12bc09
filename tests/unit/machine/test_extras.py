import importlib
import sys
from importlib.abc import MetaPathFinder

import pytest

from lesionflow.cli import main
from lesionflow.errors import ConfigError
from lesionflow.machine.extras import EXTRAS, missing_extra, naming_extras, require
from lesionflow.serving import launch
from lesionflow.steps import run_step


class Without(MetaPathFinder):
    """Nothing of these names can be imported."""

    def __init__(self, names):
        self._names = names

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])


@pytest.fixture
def without(monkeypatch):
    def block(*names):
        for loaded in [name for name in sys.modules if name.partition(".")[0] in names]:
            monkeypatch.delitem(sys.modules, loaded)
        monkeypatch.setattr(sys, "meta_path", [Without(names), *sys.meta_path])

    return block


@pytest.mark.parametrize("module", sorted(EXTRAS))
def test_each_library_that_a_role_lacks_names_its_extra(module, without):
    require(module)
    without(module)
    with pytest.raises(ConfigError, match=rf"library {module}, .*pip install 'lesionflow\[{EXTRAS[module]}\]'"):
        require(f"{module}.anything")
    with pytest.raises(ConfigError, match=rf"lesionflow\[{EXTRAS[module]}\]"), naming_extras():
        importlib.import_module(module)


def test_what_no_extra_installs_stays_the_error_that_it_is():
    require("no_such_library")
    with pytest.raises(ModuleNotFoundError, match="no_such_library"), naming_extras():
        importlib.import_module("no_such_library")


def test_a_broken_library_is_not_called_absent():
    # A part that an installed library lacks says its own name, and an extension that does not load is no ModuleNotFoundError.
    assert missing_extra(ModuleNotFoundError("No module named 'blosc2.parts'", name="blosc2.parts")) is None
    assert missing_extra(ImportError("libfoo.so.1: cannot open shared object file", name="blosc2")) is None


def test_a_step_says_which_extra_it_lacks_before_workers_start(without, tmp_path):
    without("blosc2")
    for name in ("cases", "plan"):
        (tmp_path / name).mkdir()
    inputs = {name: tmp_path / name for name in ("cases", "plan")}
    with pytest.raises(ConfigError, match=r"lesionflow\[train\]"):
        run_step("preprocess", {"max_failed_fraction": 0.1}, inputs, {"preprocessed": tmp_path / "out"})


def test_the_service_is_not_started_without_its_server(without, monkeypatch):
    started = []
    monkeypatch.setattr(launch.os, "execve", lambda *_: started.append(1))
    without("bentoml")
    with pytest.raises(ConfigError, match=r"lesionflow\[serve\]"):
        launch.main(model="champion", model_name="knees")
    assert not started


def test_a_command_says_it_in_a_line(without, tmp_path, capsys):
    without("dvc")
    code = main(["init", str(tmp_path / "team"), "--preset", "phantom_ct"])
    said = capsys.readouterr().err
    assert code == ConfigError.exit_code
    assert "lesionflow[workspace]" in said
    assert "Traceback" not in said
