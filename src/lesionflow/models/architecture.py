"""What is known of a network beside its layers: the entry that each module of `networks` declares."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import nn


class Architecture(NamedTuple):
    """A network: how it is built, in how many dimensions it exists, and options that a quick test may use.

    `build` takes input channels, targets, dimensions and the network's own options. `encoder` is a regular expression
    matched at the start of the names of the weights that bring an image down to features: those that transfer learning may
    freeze. `what` is said of the network in the docs, `weights` what its number of weights is held against. `halvings` is
    their number where no option `depth` says it. Plans of old bundles may call it by a name of `formerly`.
    """

    name: str
    build: Callable[..., nn.Module]
    dimensions: tuple[int, ...]
    small_options: Mapping[str, Any]
    encoder: str
    what: str
    weights: str = ""
    halvings: int = 0
    formerly: tuple[str, ...] = ()
