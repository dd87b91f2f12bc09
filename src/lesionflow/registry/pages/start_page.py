"""Where reviewers begin in the MLflow UI, which by itself opens on its pages for language models."""

from collections.abc import Mapping
from typing import Any

from mlflow.entities import ViewType

from lesionflow.registry.mlflow_store import connect, reaching
from lesionflow.registry.pages.champion_marks import VIEW, runs_address

#: What a shared view holds beside its columns: all runs, the newest first. mlflow 3.17 wants each of these keys.
VIEW_STATE: Mapping[str, Any] = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "runsExpanded": {},
    "runsPinned": [],
    "runsHidden": [],
    "runsHiddenMode": "FIRST_10_RUNS",
    "viewMaximized": False,
    "runListHidden": False,
    "isAccordionReordered": False,
    "useGroupedValuesInCharts": True,
    "hideEmptyCharts": True,
    "groupBy": None,
    "groupsExpanded": {},
    "autoRefreshEnabled": True,
}
#: Tag of an experiment under which the UI looks for a view that somebody shares.
SHARED_VIEW = "mlflow.sharedViewState."
#: The list of experiments, on the side of the UI that is made for training.
ALL = "#/experiments?workflowType=machine_learning"


def first_page(tracking_uri: str) -> str:
    """Return the address, to stand after the UI's own, of the newest experiment with runs to compare; else that of all.

    Args:
        tracking_uri: The store.

    Raises:
        ServiceError: When the store can't be reached.
    """
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        experiments = client.search_experiments(view_type=ViewType.ACTIVE_ONLY, order_by=["last_update_time DESC"])
    shared = (e.experiment_id for e in experiments if f"{SHARED_VIEW}{VIEW}" in e.tags)
    found = next(shared, None)
    return ALL if found is None else runs_address(found)
