"""Networks of the papers, by name, and nothing that trains or runs them.

Each maps (batch, channel, [slice,] row, column) to logits of the targets.
A network with deep supervision gives a tuple of logits while it trains, the finest first; otherwise it gives one tensor.
"""

import difflib
import inspect
import pkgutil
from collections.abc import Mapping
from importlib import import_module

from torch import nn

from lesionflow.data.plan import ArchitecturePlan
from lesionflow.errors import ConfigError
from lesionflow.models import networks
from lesionflow.models.architecture import Architecture
from lesionflow.models.ensemble import Ensemble


def _declared() -> list[Architecture]:
    """Return every architecture at the top of a module of `networks`, by name."""
    modules = [import_module(f"{networks.__name__}.{found.name}") for found in pkgutil.iter_modules(networks.__path__)]
    found = {
        value.name: value for module in modules for value in vars(module).values() if isinstance(value, Architecture)
    }
    return [found[name] for name in sorted(found)]


#: Every network, by name. A new one is a module of `networks` with its `Architecture`, and nothing else.
ARCHITECTURES: Mapping[str, Architecture] = {architecture.name: architecture for architecture in _declared()}


def find_architecture(name: str) -> Architecture:
    """Look a network up; all that a plan or params may call it is understood here.

    Args:
        name: A key of `ARCHITECTURES`, or what it was called when an old plan was written.

    Returns:
        The architecture.

    Raises:
        ConfigError: When there is none; the message offers the nearest.
    """
    architecture = ARCHITECTURES.get(name) or next((a for a in ARCHITECTURES.values() if name in a.formerly), None)
    if architecture is None:
        near = difflib.get_close_matches(name, ARCHITECTURES, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigError(f"Expected an architecture of {', '.join(ARCHITECTURES)}, found {name!r}.{hint}")
    return architecture


def build_model(plan: ArchitecturePlan, *, in_channels: int, out_channels: int, dimensions: int) -> nn.Module:
    """Build a network with fresh weights.

    Args:
        plan: A network's name, that architecture's own options, and how many such networks answer as one.
        in_channels: Input channels.
        out_channels: Targets.
        dimensions: 2 or 3.

    Returns:
        The network, or an ensemble of such; its logits have the size of its input.

    Raises:
        ConfigError: When the name, an option or the number of dimensions does not exist; the message offers the nearest.
    """
    name, options = plan.name, plan.options
    architecture = find_architecture(name)
    if dimensions not in architecture.dimensions:
        raise ConfigError(
            f"Expected {name} in {architecture.dimensions} dimensions, found {dimensions}. Set plan.dimensions."
        )
    try:
        members = [architecture.build(in_channels, out_channels, dimensions, **options) for _ in range(plan.n_members)]
    except TypeError as error:
        known = ", ".join(inspect.signature(architecture.build).parameters)
        raise ConfigError(f"Expected options that {name} knows ({known}), found {dict(options)}: {error}.") from error
    return members[0] if len(members) == 1 else Ensemble(members)


def size_multiple(plan: ArchitecturePlan) -> int:
    """Return the number that each patch axis must be a multiple of: two to the power of the network's halvings.

    Raises:
        ConfigError: When there is no such network.
    """
    return 2 ** int(plan.options.get("depth", find_architecture(plan.name).halvings))
