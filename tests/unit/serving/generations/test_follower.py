"""An alias followed: what holds is switched to, what does not is refused once and said, what can't be asked is asked again."""

import errno
import logging
import types

import pytest

from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.serving.generations.follower import Follower, Named
from lesionflow.serving.generations.lineup import Lineup
from lesionflow.serving.prometheus_metrics import ServiceMetrics


class Standin:
    def __init__(self, model, title):
        self.model, self.title = model, title

    def close(self):
        """Nothing runs."""


def generation(version):
    bundle = types.SimpleNamespace(digest=f"digest-{version}")
    model = types.SimpleNamespace(name="m", version=version, doubt="", bundle=bundle)
    return Standin(model, version)


class World:
    """A registry whose alias can be moved, and versions that can be broken."""

    def __init__(self):
        self.alias, self.faults, self.loads, self.metrics = "1", {}, [], ServiceMetrics()
        self.lineup = Lineup(lambda *_: None)
        self.lineup.switch(generation("1"))
        self.follower = Follower(self.find, self.load, self.lineup, self.metrics)

    def find(self):
        if isinstance(self.alias, Exception):
            raise self.alias
        return None if self.alias is None else Named(self.alias, f"digest-{self.alias}")

    def load(self, version):
        self.loads.append(version)
        if version in self.faults:
            raise self.faults[version]
        return generation(version)

    def look(self, alias):
        self.alias = alias
        self.follower.look()
        return self.lineup.standing.now.model.version

    def changes(self):
        lines = self.metrics.render().decode().splitlines()
        found = [line for line in lines if line.startswith("lesionflow_champion_changes_total{")]
        return {line.split('"')[1]: float(line.split()[-1]) for line in found if not line.endswith(" 0.0")}


@pytest.fixture
def world():
    return World()


def test_it_goes_where_the_alias_goes_and_loads_each_once(world):
    assert [world.look(alias) for alias in ("1", "2", "2", "3")] == ["1", "2", "2", "3"]
    assert (world.loads, world.changes()) == (["2", "3"], {"switched": 2})
    assert world.follower.describe() == {"wanted_version": "3"}


def test_going_back_to_the_one_behind_loads_nothing(world):
    assert [world.look(alias) for alias in ("2", "1")] == ["2", "1"]
    assert world.loads == ["2"]


def test_what_does_not_hold_is_refused_once_and_said_without_the_servers_folders(world, caplog):
    world.faults["2"] = ArtifactError("Expected weights in /tmp/lesionflow-fetch-x/bundle, found: altered.")
    assert [world.look("2") for _ in range(3)] == ["1"] * 3
    assert (world.loads, world.changes()) == (["2"], {"refused": 1})
    told = world.follower.describe()
    assert told["wanted_version"] == "2"
    refused = told["refused"]
    assert (refused["version"], refused["outcome"]) == ("2", "refused")
    assert refused["reason"] == "Expected weights in bundle, found: altered."
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "version 2 is not served" in record.getMessage()


def test_a_refused_version_is_tried_again_once_the_alias_has_named_another(world):
    world.faults["2"] = ArtifactError("altered")
    assert world.look("2") == "1"
    assert world.look("3") == "3"
    del world.faults["2"]
    assert world.look("2") == "2"
    assert "refused" not in world.follower.describe()


@pytest.mark.parametrize("error", [ServiceError("away"), OSError(errno.ENOSPC, "full"), MemoryError()])
def test_what_the_registry_or_the_machine_could_not_do_is_tried_again(world, error):
    world.faults["2"] = error
    assert world.look("2") == "1"
    assert "version 2 can't be fetched now" in world.follower.describe()["trouble"]
    del world.faults["2"]
    assert world.look("2") == "2"
    assert world.changes() == {"switched": 1}
    assert "trouble" not in world.follower.describe()


def test_a_registry_that_is_away_is_said_once_and_what_serves_goes_on(world, caplog):
    assert [world.look(ServiceError("away")) for _ in range(3)] == ["1"] * 3
    assert len([record for record in caplog.records if "can't be asked" in record.getMessage()]) == 1
    assert world.look(None) == "1"
    assert world.follower.describe()["trouble"] == "the alias names no version any more"
    assert world.look("2") == "2"


def test_one_that_came_back_from_service_is_not_tried_again(world):
    assert world.look("2") == "2"
    world.lineup.switch(world.lineup.standing.before)
    world.follower.refuse(Named("2", "digest-2"), KeyError("case of a patient"), "returned")
    assert [world.look("2") for _ in range(2)] == ["1", "1"]
    refused = world.follower.describe()["refused"]
    assert (refused["outcome"], "patient" in refused["reason"]) == ("returned", False)
    assert world.changes() == {"switched": 1, "returned": 1}
