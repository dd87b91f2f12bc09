from lesionflow.evaluation import plots
from lesionflow.evaluation.figures import to_array
from lesionflow.evaluation.froc import Froc, FrocPoint
from support.pages import pixels_near
from support.score_tables import three_patients


def test_plots_are_drawn_of_few_cases_and_of_none_with_a_tumor() -> None:
    table = three_patients().cases
    for rows in (table, table[:1], table[2:]):
        for draw in (plots.dice_by_size, plots.bland_altman, lambda t: plots.confusion_matrix(t, "tumor")):
            image = to_array(draw(rows))
            assert image.std() > 5
    curve = Froc((FrocPoint(0.9, 0.0, 0.2, 0.0, 0.5), FrocPoint(0.1, 3.0, 0.8, 0.5, 1.0)), (0.2,) * 7, 5, 3)
    assert len(pixels_near(plots.froc_plot(curve, 0.95), (0x00, 0x72, 0xB2))) > 100


def test_the_slope_plot_tells_better_from_worse_by_color_and_line() -> None:
    table = three_patients().cases
    better = plots.slope_plot(table, table.assign(dice=table["dice"] - 0.15), "champion")
    worse = plots.slope_plot(table, table.assign(dice=[0.5, 1.0, 1.0]), "champion")
    blue, vermilion = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
    assert len(pixels_near(better, blue)) > 200 > len(pixels_near(better, vermilion))
    assert len(pixels_near(worse, vermilion)) > 200 > len(pixels_near(worse, blue))
