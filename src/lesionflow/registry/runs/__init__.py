"""How runs in MLflow end whose own process can end them no more. What a run is told while it lives belongs to `registry.tracking`."""
