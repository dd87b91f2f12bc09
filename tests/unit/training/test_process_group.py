"""One process alone, and two real ones that meet by gloo."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import textwrap

import pytest
import torch

from lesionflow.training.process_group import SINGLE_PROCESS, ProcessGroup, join_process_group

#: What each of two processes does: rank 0 has a factor of 2, rank 1 one of 5, for a weight of 3 that both hold.
SCRIPT = textwrap.dedent("""
    import json, sys, types
    import torch
    from torch import distributed
    import lesionflow

    # The package itself loads Lightning, which takes three times as long as all else here.
    package = sys.modules["lesionflow.training"] = types.ModuleType("lesionflow.training")
    package.__path__ = [f"{lesionflow.__path__[0]}/training"]
    from lesionflow.training.process_group import join_process_group

    with join_process_group("cpu") as processes:
        mine = processes.rank
        weight = torch.tensor(3.0, requires_grad=True)
        total = processes.total(weight * [2.0, 5.0][mine])
        (total ** 2).backward()
        given = torch.tensor([[1.0, 10.0], [100.0, 0.5]]).T * (mine + 1)
        plain = processes.total(given)
        network = torch.nn.BatchNorm1d(2)
        network.running_mean += mine + 1
        network.num_batches_tracked += 7 * (mine + 1)
        with torch.no_grad():
            network.weight += mine
        processes.align(network)
        found = {
            "group": [processes.rank, processes.size, processes.n_local, processes.n_nodes, processes.leads],
            "share": processes.share({"from": mine}), "none": processes.share("mine" if mine else None),
            "gather": processes.gather(f"of {mine}"),
            "any": [processes.any(mine == 1), processes.any(mine == 0), processes.any(True), processes.any(False)],
            "total": total.item(), "gradient": weight.grad.item(), "plain": plain.tolist(),
            "given": given.tolist(),
            "mean": network.running_mean.tolist(), "batches": network.num_batches_tracked.item(),
            "weight": network.weight.tolist(),
        }
    found["left"] = not distributed.is_initialized()
    print(json.dumps(found))
""")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


@pytest.fixture(scope="module")
def two():
    """What each of two processes found."""
    meeting = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": "2"}
    places = [{**meeting, "RANK": str(n), "LOCAL_RANK": str(n), "LOCAL_WORLD_SIZE": "2"} for n in range(2)]
    started = [
        subprocess.Popen([sys.executable, "-c", SCRIPT], env=place, stdout=subprocess.PIPE, text=True)
        for place in places
    ]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    return [json.loads(lines.splitlines()[-1]) for lines in said]


def test_each_knows_its_place_and_leaves_the_group(two):
    assert [found["group"] for found in two] == [[0, 2, 2, 1, True], [1, 2, 2, 1, False]]
    assert [found["left"] for found in two] == [True, True]


def test_what_the_leader_says_holds_for_all(two):
    assert [found["share"] for found in two] == [{"from": 0}, {"from": 0}]
    assert [found["none"] for found in two] == [None, None]


def test_the_values_of_all_come_by_rank(two):
    assert [found["gather"] for found in two] == [["of 0", "of 1"]] * 2


def test_a_flag_raised_in_any_process_is_raised(two):
    assert [found["any"] for found in two] == [[True, True, True, False]] * 2


def test_sums_are_those_of_all_and_the_mean_gradient_is_that_of_one_process_with_the_whole_batch(two):
    # (3 x 2 + 3 x 5) squared, whose slope by the weight is 2 x 21 x 7 = 294.
    assert [found["total"] for found in two] == [21.0, 21.0]
    # What a process adds goes into both losses: 2 x (2 x 21) x its own factor.
    assert [found["gradient"] for found in two] == [168.0, 420.0]
    assert sum(found["gradient"] for found in two) / 2 == 294.0


def test_sums_of_a_turned_array_stay_in_place(two):
    assert [found["plain"] for found in two] == [[[3.0, 300.0], [30.0, 1.5]]] * 2
    # What was handed in is still each one's own.
    assert [found["given"] for found in two] == [[[1.0, 100.0], [10.0, 0.5]], [[2.0, 200.0], [20.0, 1.0]]]


def test_all_are_given_the_leaders_statistics_and_keep_their_weights(two):
    assert [found["mean"] for found in two] == [[1.0, 1.0]] * 2
    assert [found["batches"] for found in two] == [7, 7]
    assert [found["weight"] for found in two] == [[1.0, 1.0], [2.0, 2.0]]


def test_a_process_alone_leads_and_is_told_what_it_says():
    alone = SINGLE_PROCESS
    assert (alone.rank, alone.size, alone.n_local, alone.n_nodes, alone.leads) == (0, 1, 1, 1, True)
    value, sums = object(), torch.ones(2, 3, requires_grad=True)
    assert alone.share(value) is value
    assert alone.gather(value) == [value]
    assert alone.any(True) is True
    assert alone.any(False) is False
    assert alone.total(sums) is sums
    network = torch.nn.BatchNorm1d(2)
    alone.align(network)
    assert network.running_mean.tolist() == [0.0, 0.0]


def test_machines_are_counted_by_the_processes_on_each():
    group = ProcessGroup(rank=5, size=8, n_local=4)
    assert group.n_nodes == 2
    assert not group.leads


def test_the_group_is_left_after_an_error_too(monkeypatch):
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    with contextlib.suppress(ValueError), join_process_group("cpu") as alone:
        assert torch.distributed.is_initialized()
        assert (alone.size, alone.n_local) == (1, 1)
        raise ValueError
    assert not torch.distributed.is_initialized()
