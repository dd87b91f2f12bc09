"""Every name is in one part, whatever else there is; parts are of about one size."""

import pytest

from lesionflow.cohort.shard import WHOLE_WORK, Shard
from lesionflow.errors import ConfigError


def test_every_name_is_in_one_part_and_parts_are_about_equal():
    names = [f"p-{number:012x}" for number in range(4000)]
    parts = [Shard(number, 7) for number in range(7)]
    assert all(sum(part.holds(name) for part in parts) == 1 for name in names)
    sizes = [sum(part.holds(name) for name in names) for part in parts]
    assert min(sizes) > 4000 / 7 * 0.85
    assert max(sizes) < 4000 / 7 * 1.15
    assert all(WHOLE_WORK.holds(name) for name in names)


def test_the_part_of_a_name_is_what_sha256_says():
    # `printf p-1 | sha256sum` of coreutils: its last digit is the number of 16 parts.
    assert [number for number in range(16) if Shard(number, 16).holds("p-1")] == [0x5]


@pytest.mark.parametrize(("number", "of"), [(-1, 2), (2, 2), (0, 0), (0, -1)])
def test_a_part_that_is_none_is_refused(number, of):
    with pytest.raises(ConfigError, match=f"of {of}"):
        Shard(number, of)
