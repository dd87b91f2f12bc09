"""A plain Flask + PyTorch endpoint, as the papers' web applications are: a picture in, a mask out, nothing kept or checked.

`python -m benchmarks.flask_peer BUNDLE PORT`
"""

import io
import sys
from pathlib import Path

import flask
import numpy as np
import torch
from PIL import Image

from lesionflow.io.stores.bundles import read_bundle
from lesionflow.models import build_model


def make_app(folder: Path) -> flask.Flask:
    """Return the application around a bundle's network."""
    bundle = read_bundle(folder)
    plan = bundle.plan
    network = build_model(plan.architecture, in_channels=plan.in_channels, out_channels=1, dimensions=2)
    network.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in bundle.weights.items()})
    network.eval()
    channel, app = plan.channels[0], flask.Flask("peer")

    @app.post("/predict")
    def predict() -> flask.Response:
        with Image.open(flask.request.files["file"].stream) as image:
            pixels = np.asarray(image.convert("L"), dtype=np.float32)
        pixels = (pixels - channel.mean) / channel.std
        with torch.no_grad():
            logits = network(torch.from_numpy(pixels)[None, None])
        mask = (torch.sigmoid(logits)[0, 0] > plan.inference.probability_threshold).numpy()
        made = io.BytesIO()
        Image.fromarray(mask.astype(np.uint8) * 255).save(made, "PNG")
        return flask.Response(made.getvalue(), mimetype="image/png")

    return app


if __name__ == "__main__":
    make_app(Path(sys.argv[1])).run("127.0.0.1", int(sys.argv[2]), threaded=True)
