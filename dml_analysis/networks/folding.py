"""BatchNorm folded into the convolutions before it: both are linear, so it is the same function, up to rounding, but faster."""

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dml_analysis.networks.tracing import CONVOLUTIONS, NORMS, called_once, calls, is_plain


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
    called, found = called_once(calls(network, NORMS)), []
    for node, norm in called.items():
        if not (is_plain(norm, NORMS) and norm.running_var is not None):
            continue
        (before,) = node.args
        if is_plain(called.get(before), CONVOLUTIONS) and len(before.users) == 1:
            found.append((before.target, node.target))
    return found


def _what_follows(norm):
    """What timm's BatchNorm does after it has normalised."""
    return nn.Sequential(norm.drop, norm.act) if hasattr(norm, "act") else nn.Identity()
