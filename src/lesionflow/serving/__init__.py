"""The HTTP service: the only bentoml."""
