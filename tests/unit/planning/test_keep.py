import pytest

from lesionflow.planning.keep import keep_while_near
from support.bundles import small_plan


def _moved(plan, *, spacing=None, **channel):
    update = {"channels": (plan.channels[0].model_copy(update=channel), *plan.channels[1:])}
    return plan.model_copy(update=update | ({"spacing_mm": spacing} if spacing else {}))


BEFORE = small_plan()
CHANNEL = BEFORE.channels[0]


def test_near_figures_are_those_of_before_and_the_plan_says_why():
    fresh = _moved(BEFORE, mean=CHANNEL.mean + 0.05 * CHANNEL.std).model_copy(update={"batch_size": 7})
    kept = keep_while_near(fresh, BEFORE, 0.1, frozenset())
    assert kept.preprocessing_digest() == BEFORE.preprocessing_digest()
    assert kept.batch_size == 7
    assert "moved them by 5.0%" in kept.decisions[-1].why
    again = keep_while_near(fresh, kept, 0.1, frozenset())
    assert again == kept


@pytest.mark.parametrize(
    ("figure", "scale"),
    [
        ("lower", CHANNEL.upper - CHANNEL.lower),
        ("upper", CHANNEL.upper - CHANNEL.lower),
        ("mean", CHANNEL.std),
        ("std", CHANNEL.std),
    ],
)
def test_each_figure_alone_may_move_the_plan(figure, scale):
    fresh = _moved(BEFORE, **{figure: getattr(CHANNEL, figure) + 0.11 * scale})
    assert keep_while_near(fresh, BEFORE, 0.1, frozenset()) is fresh
    assert keep_while_near(fresh, BEFORE, 0.12, frozenset()).channels == BEFORE.channels


def test_spacing_may_move_the_plan():
    slices, rows, columns = BEFORE.spacing_mm
    fresh = _moved(BEFORE, spacing=(slices, rows * 1.05, columns * 1.05))
    assert keep_while_near(fresh, BEFORE, 0.1, frozenset()).spacing_mm == BEFORE.spacing_mm
    assert keep_while_near(fresh, BEFORE, 0.04, frozenset()) is fresh
    assert keep_while_near(fresh, BEFORE, 0.1, frozenset({"spacing"})) is fresh
    other = _moved(BEFORE, spacing=(2.0 if slices is None else None, rows, columns))
    assert keep_while_near(other, BEFORE, 1.0, frozenset()) is other


def test_a_pinned_window_wins():
    fresh = _moved(BEFORE, upper=CHANNEL.upper + 0.01 * CHANNEL.std)
    assert keep_while_near(fresh, BEFORE, 0.1, frozenset({"window"})) is fresh


def test_other_data_have_their_own_plan():
    fresh = BEFORE.model_copy(update={"dataset": BEFORE.dataset.model_copy(update={"name": "other"})})
    assert keep_while_near(fresh, BEFORE, 1.0, frozenset()) is fresh
    assert keep_while_near(BEFORE, BEFORE, 0.0, frozenset()) is BEFORE


def test_a_window_is_measured_by_its_own_width():
    # What five patients more did to twenty phantoms: 19 HU of a window of 555, whose body deviates by 127 HU.
    wide = _moved(BEFORE, lower=-304.7, upper=250.0, mean=7.8, std=127.5)
    fresh = _moved(BEFORE, lower=-285.4, upper=250.0, mean=6.5, std=125.8)
    assert keep_while_near(fresh, wide, 0.1, frozenset()).channels == wide.channels
    assert keep_while_near(fresh, wide, 0.03, frozenset()) is fresh


def test_pictures_on_another_background_are_made_anew():
    old = _moved(BEFORE, kind="picture", lower=None, upper=None, mean=None, std=None)
    fresh = _moved(old, dark_background=True)
    assert keep_while_near(fresh, old, 0.5, frozenset()) == fresh
