"""What networks' operations give on torch's `meta` device, by shape.

Torch's own rules for these operations are written in Python and load its compiler and sympy when they are first used, which
takes more than a second; an operation that is not named here goes by them.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

Sizes = Sequence[int]


def _like(first: Tensor, *_: Any) -> Tensor:
    return first.new_empty(first.shape)


def _itself(first: Tensor, *_: Any, **__: Any) -> Tensor:
    return first


def _together(one: Tensor, other: Tensor) -> Tensor:
    return one.new_empty(torch.broadcast_shapes(one.shape, other.shape))


def _in_a_row(parts: Sequence[Tensor], dim: int = 0) -> Tensor:
    shape = list(parts[0].shape)
    shape[dim] = sum(part.shape[dim] for part in parts)
    return parts[0].new_empty(shape)


def _repeated(first: Tensor, times: Sizes) -> Tensor:
    return first.new_empty([n * t for n, t in zip(first.shape, times, strict=True)])


def _normalized(image: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return the image, and mean and deviation of each channel, as training keeps them."""
    return _like(image), image.new_empty(image.shape[1]), image.new_empty(image.shape[1])


def _pooled(
    image: Tensor, kernel: Sizes, stride: Sizes | None = None, padding: Sizes | None = None
) -> tuple[Tensor, Tensor]:
    """Return the largest of each window, and where each was."""
    steps = zip(image.shape[2:], kernel, stride or kernel, padding or [0] * len(kernel), strict=True)
    shape = [*image.shape[:2], *((n + 2 * p - k) // s + 1 for n, k, s, p in steps)]
    return image.new_empty(shape), image.new_empty(shape, dtype=torch.int64)


def _convolved(
    image: Tensor, weight: Tensor, _: Tensor | None, stride: Sizes, padding: Sizes, dilation: Sizes,
    transposed: bool, beyond: Sizes, groups: int,  # noqa: FBT001
) -> Tensor:  # fmt: skip
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    steps = zip(image.shape[2:], stride, padding, reach, beyond, strict=True)
    if transposed:
        size = [(n - 1) * s - 2 * p + r + b for n, s, p, r, b in steps]
        return image.new_empty([len(image), weight.shape[1] * groups, *size])
    size = [(n + 2 * p - r) // s + 1 for n, s, p, r, _ in steps]
    return image.new_empty([len(image), len(weight), *size])


_aten = torch.ops.aten
#: By operation; one called with more than its rule takes fails by a TypeError instead of giving a wrong shape.
RULES: Mapping[Any, Callable[..., Any]] = MappingProxyType(
    {
        _aten.normal_.default: _itself,
        _aten.leaky_relu_.default: _itself,
        _aten.leaky_relu.default: _like,
        _aten.relu.default: _like,
        _aten.add.Tensor: _together,
        _aten.mul.Tensor: _together,
        _aten.cat.default: _in_a_row,
        _aten.repeat.default: _repeated,
        _aten.native_batch_norm.default: _normalized,
        _aten.max_pool2d_with_indices.default: _pooled,
        _aten.max_pool3d_with_indices.default: _pooled,
        _aten.convolution.default: _convolved,
    }
)


class ByShape(TorchDispatchMode):
    """Within it, networks in training run on `meta` by the rules above."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Tell torch that its compiler, which it would load for it, need not be kept away from here."""
        return False

    def __torch_dispatch__(
        self, function: Any, _: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Give what comes out of one operation."""
        return RULES.get(function, function)(*args, **(kwargs or {}))
