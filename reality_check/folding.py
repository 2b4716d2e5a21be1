"""BatchNorm folded into the convolutions before it: both are linear, so it is the same function, up to rounding, but faster."""

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Known by name, as timm takes seconds to import. Other kinds may do more to their weights or numbers than these do.
CONVOLUTIONS = {"torch.nn.modules.conv.Conv2d", "timm.layers.conv2d_same.Conv2dSame"}
NORMS = {"torch.nn.modules.batchnorm.BatchNorm2d", "timm.layers.norm_act.BatchNormAct2d"}


class _Tracer(fx.Tracer):
    """Looks only into what has a BatchNorm in it, and so is asked to follow as little as possible."""

    def is_leaf_module(self, module, name):
        return _kind(module) in NORMS or not any(_kind(each) in NORMS for each in module.modules())


def with_folded_batchnorm(network):
    """The network, in eval mode, each BatchNorm that alone takes what a convolution gives being folded into that one.

    Whatever torch.fx cannot follow stays as it is. The network is changed, and returned.
    """
    for conv_name, norm_name in _pairs(network):
        conv, norm = network.get_submodule(conv_name), network.get_submodule(norm_name)
        _replace(network, conv_name, fuse_conv_bn_eval(conv, norm))
        _replace(network, norm_name, _what_follows(norm))
    return network


def _replace(network, name, module):
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)


def _pairs(network):
    """The names of (convolution, BatchNorm) that can be one."""
    try:
        graph = _Tracer().trace(network)
    except Exception:  # any: it is the network's own code that is run, on placeholders
        return []
    modules, uses = dict(network.named_modules()), [node.target for node in graph.nodes]
    found = []
    for node in graph.nodes:
        before = node.args[0] if node.args else None
        if not (node.op == "call_module" and isinstance(before, fx.Node) and before.op == "call_module"):
            continue
        conv, norm = modules[before.target], modules[node.target]
        alone = len(before.users) == 1 and uses.count(before.target) == uses.count(node.target) == 1
        if alone and _foldable(conv, CONVOLUTIONS) and _foldable(norm, NORMS) and norm.running_var is not None:
            found.append((before.target, node.target))
    return found


def _kind(module):
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _foldable(module, kinds):
    """Whether it is of these kinds, and nothing else hangs on it."""
    return _kind(module) in kinds and not (module._forward_hooks or module._forward_pre_hooks)


def _what_follows(norm):
    """What timm's BatchNorm does after it has normalised."""
    return nn.Sequential(norm.drop, norm.act) if hasattr(norm, "act") else nn.Identity()
