"""`read_bundle` by the name that programs stored with models of lesionflow 0.1 call it by. New code takes `stores.bundles`."""

from lesionflow.io.stores.bundles import read_bundle

__all__ = ["read_bundle"]
