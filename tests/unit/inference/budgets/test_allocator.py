"""What is asked of glibc's allocator, and that it is as before afterwards, whatever happens within."""

import sys

import pytest

from lesionflow.inference.budgets import allocator


class Libc:
    def __init__(self):
        self.calls = []

    def mallopt(self, parameter, value):
        self.calls.append((parameter, value))

    def malloc_trim(self, pad):
        self.calls.append(("trim", pad))


#: glibc's own numbers (malloc.h): M_TRIM_THRESHOLD -1, M_MMAP_THRESHOLD -3; 32 MB is its largest block threshold.
AFTER = [(-3, 32 << 20), (-1, 64 << 20), ("trim", 0)]


@pytest.mark.parametrize(
    ("context", "before"),
    [(allocator.kept_memory, [(-3, 256 << 20), (-1, 1 << 30)]), (allocator.returned_memory, [(-3, 1 << 20), (-1, 1 << 20)])],
)  # fmt: skip
def test_thresholds_are_set_and_set_back(monkeypatch, context, before):
    libc = Libc()
    monkeypatch.setattr(allocator, "_glibc", lambda: libc)
    with context():
        assert libc.calls == before
    assert libc.calls == [*before, *AFTER]


def test_they_are_set_back_when_something_is_raised(monkeypatch):
    libc = Libc()
    monkeypatch.setattr(allocator, "_glibc", lambda: libc)
    with pytest.raises(TimeoutError), allocator.kept_memory():
        raise TimeoutError
    assert libc.calls[2:] == AFTER


def test_elsewhere_than_glibc_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with allocator.kept_memory(), allocator.returned_memory():
        pass


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the allocator of Linux")
def test_the_allocator_of_this_machine_knows_both_thresholds():
    libc = allocator._glibc()
    if libc is None:
        pytest.skip("no glibc")
    assert libc.mallopt(allocator.M_MMAP_THRESHOLD, allocator.USUAL_BLOCK_BYTES) == 1
    assert libc.mallopt(allocator.M_TRIM_THRESHOLD, 2 * allocator.USUAL_BLOCK_BYTES) == 1
