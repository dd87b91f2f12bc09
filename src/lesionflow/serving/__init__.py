"""The HTTP service: the only bentoml. What a study becomes belongs to `prediction`."""
