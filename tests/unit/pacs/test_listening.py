"""One process a spool; a machine that fails is waited for."""

import errno

import pytest

from lesionflow.errors import ConfigError
from lesionflow.pacs.listening import _turn, alone, listen_until_stopped
from lesionflow.pacs.network_config import read_network_config
from lesionflow.pacs.orders import OrderBook
from support.pacs_peers import write_config


def test_a_spool_is_one_process_own(tmp_path):
    config = read_network_config(write_config(tmp_path))
    with alone(config), pytest.raises(ConfigError, match="another runs on"), alone(config):
        pass
    with alone(config):
        pass


def test_nobody_is_let_in_where_nobody_is_named(tmp_path):
    with pytest.raises(ConfigError, match="peers"):
        listen_until_stopped(read_network_config(write_config(tmp_path)))


class Failing:
    def __init__(self, error):
        self.error = error

    def settle(self):
        raise self.error

    def work(self):
        pass


def test_a_full_disk_is_waited_for_and_a_fault_of_the_program_is_not(tmp_path):
    config = read_network_config(write_config(tmp_path))
    book = OrderBook(tmp_path / "orders")
    full = Failing(OSError(errno.ENOSPC, "full"))
    _turn(full, full, book, config)
    broken = Failing(RuntimeError("x"))
    with pytest.raises(RuntimeError):
        _turn(broken, broken, book, config)
