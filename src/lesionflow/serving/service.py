"""The BentoML service: our own routes mounted in it, so that uploads are streamed and limited. The only bentoml."""

import logging

import bentoml

from lesionflow.machine.threads import limit_library_threads
from lesionflow.serving.api import create_app
from lesionflow.serving.parent import stop_with_parent
from lesionflow.serving.settings import load_service_settings

#: BentoML answers 504 beyond this; the work runs on, so it must be longer than the longest study takes.
TIMEOUT_S = 3600.0

# BentoML shows warnings alone of loggers that are not its own.
logging.getLogger("lesionflow").setLevel(logging.INFO)

# A bento is started without our command line.
limit_library_threads()
APP = create_app(load_service_settings())


# BentoML's own metrics label each path, so that results' addresses would grow them without end: ours replace them.
@bentoml.service(name="lesionflow", workers=1, traffic={"timeout": TIMEOUT_S}, metrics={"enabled": False})
@bentoml.asgi_app(APP, path="/")
class LesionFlow:
    """Tumor segmentation of CT, MR and PET studies. Research use only."""

    def __init__(self) -> None:
        # Made in the worker alone.
        stop_with_parent()

    def __is_ready__(self) -> bool:
        """Tell whether the model is loaded; `/readyz` answers 503 until then."""
        return bool(APP.state.engine.ready)
