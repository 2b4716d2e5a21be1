"""BatchNorm folded into the convolutions before it: both are linear, so it is the same function, up to rounding, but faster."""

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Known by name, as timm takes seconds to import. Other kinds may do more to their weights or numbers than these do.
CONVOLUTIONS = {"torch.nn.modules.conv.Conv2d", "timm.layers.conv2d_same.Conv2dSame"}
NORMS = {"torch.nn.modules.batchnorm.BatchNorm2d", "timm.layers.norm_act.BatchNormAct2d"}


def with_folded_batchnorm(network):
    """The network, in eval mode, each BatchNorm that alone takes what a convolution gives being folded into that one.

    Whatever torch.fx cannot follow stays as it is. The network is changed, and returned.
    """
    for conv_name, norm_name in list(_pairs(network)):
        conv, norm = network.get_submodule(conv_name), network.get_submodule(norm_name)
        _replace(network, conv_name, fuse_conv_bn_eval(conv, norm))
        _replace(network, norm_name, _what_follows(norm))
    return network


def _replace(network, name, module):
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)


def _what_follows(norm):
    """What timm's BatchNorm does after it has normalised."""
    return nn.Sequential(norm.drop, norm.act) if hasattr(norm, "act") else nn.Identity()


def _pairs(network):
    """The names of (convolution, BatchNorm) that can be one."""
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
    """Looks only into what has BatchNorms in it, and so is asked to follow as little as possible."""

    def is_leaf_module(self, module, name):
        return _kind(module) in NORMS or not _has_norms(module)


def _module_calls(network):
    """The nodes of the network's graph that call a module; none where it has no BatchNorm, or torch.fx cannot follow."""
    if not _has_norms(network):
        return []
    try:
        graph = _Tracer().trace(network)
    except Exception:  # any: it is the network's own code that is run, on placeholders
        return []
    return [node for node in graph.nodes if node.op == "call_module"]


def _has_norms(network):
    return any(_kind(module) in NORMS for module in network.modules())


def _is_plain(module, kinds):
    """Whether it is of these kinds, without hooks. None, for what is no module, is not."""
    return _kind(module) in kinds and not (module._forward_hooks or module._forward_pre_hooks)


def _kind(module):
    return f"{type(module).__module__}.{type(module).__qualname__}"
