"""The page at which reviewers begin: the runs of the experiment that changed last."""

from lesionflow.registry.pages.start_page import ALL, first_page
from lesionflow.registry.tracking import Tracker
from support.stores import empty_store


def test_it_is_the_list_of_runs_with_figures_to_compare(tmp_path):
    uri = empty_store(tmp_path)
    assert first_page(uri) == ALL
    knees = Tracker(uri, "knees")
    view = knees.share_view(metrics=["test/dice"], params=[])
    Tracker(uri, "nothing to compare yet")
    assert first_page(uri) == view
    assert "workflowType=machine_learning" in view
