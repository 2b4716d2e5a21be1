"""BatchNorm folded into the convolution before it: the same function up to rounding, but faster."""

from collections.abc import Iterator
from typing import Any

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Known by name, as timm takes seconds to import. Other kinds may do more to their weights or numbers than these do.
CONVOLUTIONS = {"torch.nn.modules.conv.Conv2d", "timm.layers.conv2d_same.Conv2dSame"}
NORMS = {"torch.nn.modules.batchnorm.BatchNorm2d", "timm.layers.norm_act.BatchNormAct2d"}


def with_folded_batchnorm(network: nn.Module) -> nn.Module:
    """Fold each BatchNorm that is the only user of a convolution into that convolution.

    What torch.fx cannot trace stays as it is. The network, in eval mode, is changed and returned.
    """
    for conv_name, norm_name in list(_pairs(network)):
        conv: Any = network.get_submodule(conv_name)
        norm: Any = network.get_submodule(norm_name)
        _replace(network, conv_name, fuse_conv_bn_eval(conv, norm))
        _replace(network, norm_name, _what_follows(norm))
    return network


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)


def _what_follows(norm: Any) -> nn.Module:
    """Return what timm's BatchNorm applies after normalisation."""
    return nn.Sequential(norm.drop, norm.act) if hasattr(norm, "act") else nn.Identity()


def _pairs(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Yield the names of (convolution, BatchNorm) that can be folded."""
    nodes = _module_calls(network)
    targets = [node.target for node in nodes]
    called_once = {
        node: network.get_submodule(node.target)
        for node in nodes
        if targets.count(node.target) == 1
    }
    for node, norm in called_once.items():
        if _is_plain(norm, NORMS) and norm.running_var is not None:
            (before,) = node.args
            if _is_plain(called_once.get(before), CONVOLUTIONS) and len(before.users) == 1:
                yield before.target, node.target


class _Tracer(fx.Tracer):
    """Trace only into modules that contain BatchNorms."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return _kind(module) in NORMS or not _has_norms(module)


def _module_calls(network: nn.Module) -> list[Any]:
    """Return the graph's nodes that call a module; none without BatchNorm or if tracing fails."""
    if not _has_norms(network):
        return []
    try:
        graph = _Tracer().trace(network)
    except Exception:  # any, because the network's own code runs
        return []
    return [node for node in graph.nodes if node.op == "call_module"]


def _has_norms(network: nn.Module) -> bool:
    return any(_kind(module) in NORMS for module in network.modules())


def _is_plain(module: Any, kinds: set[str]) -> bool:
    """Return whether a module is of these kinds and has no hooks; False for None."""
    return _kind(module) in kinds and not (module._forward_hooks or module._forward_pre_hooks)


def _kind(module: Any) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"
