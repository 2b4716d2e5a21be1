"""How the modules of a network follow one another, as far as torch.fx can tell."""

from torch import fx

# Known by name, as timm takes seconds to import. Other kinds may do more to their weights or numbers than these do.
CONVOLUTIONS = {"torch.nn.modules.conv.Conv2d", "timm.layers.conv2d_same.Conv2dSame"}
NORMS = {"torch.nn.modules.batchnorm.BatchNorm2d", "timm.layers.norm_act.BatchNormAct2d"}
CAPS = {"torch.nn.modules.activation.Hardtanh", "torch.nn.modules.activation.ReLU6"}
IDENTITY = {"torch.nn.modules.linear.Identity"}


class _Tracer(fx.Tracer):
    """Looks only into what has modules of these kinds in it, and so is asked to follow as little as possible."""

    def __init__(self, kinds):
        super().__init__()
        self.kinds = kinds

    def is_leaf_module(self, module, name):
        return kind(module) in self.kinds or not has_any(module, self.kinds)


def calls(network, kinds):
    """{node of the network's graph: the module it calls}, in order; of modules without these kinds in them only the outer one.

    Empty where there are none, or where torch.fx cannot follow.
    """
    if not has_any(network, kinds):
        return {}
    try:
        graph = _Tracer(kinds).trace(network)
    except Exception:  # any: it is the network's own code that is run, on placeholders
        return {}
    return {node: network.get_submodule(node.target) for node in graph.nodes if node.op == "call_module"}


def has_any(network, kinds):
    return any(kind(each) in kinds for each in network.modules())


def kind(module):
    return f"{type(module).__module__}.{type(module).__qualname__}"


def is_plain(module, kinds):
    """Whether it is of these kinds, and nothing else hangs on it. None, for what is no module, is not."""
    return kind(module) in kinds and not (module._forward_hooks or module._forward_pre_hooks)


def called_once(called):
    """Those calls whose module is called nowhere else."""
    targets = [node.target for node in called]
    return {node: module for node, module in called.items() if targets.count(node.target) == 1}
