import pytest

from lesionflow.config.challenger import InitialWeights, Trigger, read_challenger
from lesionflow.errors import ConfigError


def test_the_file_says_why_and_from_which_weights(tmp_path):
    assert read_challenger(tmp_path) is None
    (tmp_path / "challenger.yaml").write_text("because: schedule\ninitial_weights: both\n")
    found = read_challenger(tmp_path)
    assert (found.because, found.initial_weights) == (Trigger.SCHEDULE, InitialWeights.BOTH)


@pytest.mark.parametrize(
    ("text", "said"), [("because: boredom\ninitial_weights: both\n", "because"), ("because: data\n", "initial_weights")]
)
def test_what_does_not_fit_is_named_with_its_key(text, said, tmp_path):
    (tmp_path / "challenger.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_challenger(tmp_path)
