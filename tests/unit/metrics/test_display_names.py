import pytest

from lesionflow.metrics import METRICS
from lesionflow.metrics.display_names import head_of, spell_metric


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dice", "Dice"),
        ("hd95_mm", "HD95"),
        ("surface_dice_2mm", "surface Dice at 2 mm"),
        ("absolute_volume_error_ml", "absolute volume error"),
        ("n_false_positive_lesions", "false positive lesions"),
        ("brats_lesion_hd95_mm", "BraTS lesion HD95"),
        ("lesion_f1", "lesion F1"),
    ],
)
def test_a_metric_is_named_as_the_field_writes_it(name: str, words: str) -> None:
    assert spell_metric(name) == words


def test_no_metric_keeps_the_underscores_of_its_key_or_the_name_of_another() -> None:
    spelled = [spell_metric(name) for name in METRICS]
    assert not any("_" in words for words in spelled)
    assert len(set(spelled)) == len(spelled)


def test_words_begin_a_sentence() -> None:
    assert (head_of("surface Dice"), head_of("HD95"), head_of("")) == ("Surface Dice", "HD95", "")
