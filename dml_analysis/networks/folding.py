"""BatchNorm folded into the convolutions before it: equal up to rounding, but faster."""

from typing import Any, TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dml_analysis.networks.tracing import CONVOLUTIONS, NORMS, called_once, calls, is_plain

Module = TypeVar("Module", bound=nn.Module)


def with_folded_batchnorm(network: Module) -> Module:
    """Fold each BatchNorm into the convolution before it, and return the network, which changes.

    The network must be in eval mode. A BatchNorm is folded only if it alone uses the convolution's
    output; modules that torch.fx cannot trace stay as they are.
    """
    for conv_name, norm_name in _foldable_pairs(network):
        conv: Any = network.get_submodule(conv_name)
        norm: Any = network.get_submodule(norm_name)
        _replace(network, conv_name, fuse_conv_bn_eval(conv, norm))
        _replace(network, norm_name, _activation(norm))
    return network


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    """Replace the submodule of this name."""
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)


def _foldable_pairs(network: nn.Module) -> list[tuple[str, str]]:
    """Return the names of (convolution, BatchNorm) that can be folded."""
    called, pairs = called_once(calls(network, NORMS)), []
    for node, norm in called.items():
        if not (is_plain(norm, NORMS) and norm.running_var is not None):
            continue
        (before,) = node.args
        if is_plain(called.get(before), CONVOLUTIONS) and len(before.users) == 1:
            pairs.append((before.target, node.target))
    return pairs


def _activation(norm: Any) -> nn.Module:
    """Return the dropout and activation that timm's BatchNorm includes; otherwise the identity."""
    return nn.Sequential(norm.drop, norm.act) if hasattr(norm, "act") else nn.Identity()
