"""The training of a network: a step, a look at the validation classes, and all that a stopped run needs to go on.

As in the Reality Check by default: RMSprop for the network, another for the loss's own parameters, the weights of the best
MAP@R on the validation classes kept, an end to it once nothing gets better. Which images a step sees is batches' and
augmentation's.
"""

import copy
import inspect
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from dml_analysis.errors import InputError
from dml_analysis.networks.modules import Embedder
from dml_analysis.seeds import derived_seed

EPOCH = 100  # iterations; a stopped run loses at most so many
SMALLEST_SPREAD = 0.1  # of a standardised feature, as a share of the median feature's standard deviation
ROUNDING = 1e-5  # of a float32 feature, as a share of its size


class Best(NamedTuple):
    """The best look so far."""

    iteration: int = 0
    score: float = -1.0  # MAP@R on the validation classes
    weights: dict | None = None


class Training:
    """A network and its loss in training.

    network: modules.EmbeddingNetwork, whose parameters that ask for gradients are trained; kit: losses.TrainingLoss;
    options: dml_analysis.config.TrainingSettings; rate: the trunk's learning rate. All that is random in a step follows from
    `seed` and its number.
    """

    def __init__(self, network, kit, options, rate, seed, device="cpu", precision="float32"):
        self.network = network.to(device=device, memory_format=torch.channels_last)  # in which convolutions are fastest
        self.function, self.miner = kit.function.to(device), kit.miner
        self.options, self.seed, self.device, self.precision = options, seed, torch.device(device), precision
        self.rates = {"trunk": rate, "embedder": options.embedder_learning_rate or rate, "loss": kit.learning_rate}
        parts = {"trunk": network.trunk, "embedder": network.embedder}
        groups = [{"params": [each for each in module.parameters() if each.requires_grad], "lr": self.rates[name]}
                  for name, module in parts.items()]  # fmt: skip
        self.optimizers = [_optimizer(options, [each for each in groups if each["params"]], options.weight_decay)]
        if kit.learning_rate is not None:
            own = [{"params": list(self.function.parameters()), "lr": kit.learning_rate}]
            self.optimizers.append(_optimizer(options, own, options.weight_decay if kit.decays else 0))
        self.iteration, self.best = 0, Best()

    def step(self, images, labels):
        """Train on a batch of images (n, ...) and their classes (n,), counted from 0; returns the loss.

        Raises InputError if the loss is no finite number.
        """
        self.iteration += 1
        seed = derived_seed(self.seed, "step", self.iteration)
        torch.manual_seed(seed)  # of random layers,
        np.random.seed(seed % 2**32)  # and of miners
        in_training_mode(self.network, self.options.frozen)
        embeddings, labels = self._embedded(images), labels.to(self.device)
        value = self.function(embeddings, labels, self.miner(embeddings, labels) if self.miner else None)
        if not torch.isfinite(value):
            raise InputError(
                f"the loss is {value.item()} at iteration {self.iteration}; set a smaller learning_rate, or another one "
                "of the loss's own parameters"
            )
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        value.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        return float(value.detach())

    def _embedded(self, images):
        images = images.to(self.device)
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            features = self.network.trunk(images)
        return self.network.embedder(features.float())

    @torch.no_grad()
    def embedded(self, images):
        """The embeddings (n, d) of images, as they are for whoever uses the network; on the CPU."""
        self.network.eval()
        return self._embedded(images).cpu()

    def look(self, score):
        """Take note of the MAP@R on the validation classes; whether it is the best so far."""
        if not score > self.best.score:
            return False
        self.best = Best(self.iteration, score, copy.deepcopy(self.network.state_dict()))
        return True

    def is_over(self, patience):
        """Whether all iterations are done, or the best look is `patience` of them ago."""
        stale = self.best.iteration and self.iteration - self.best.iteration >= patience
        return self.iteration >= self.options.iterations or bool(stale)

    # -----------------------------------------------------------------------------------------------------------------
    # Stopping and going on.
    # -----------------------------------------------------------------------------------------------------------------
    def state(self):
        """All of it as a dictionary of tensors, numbers and words, which torch.load reads with weights_only."""
        return {
            "network": self.network.state_dict(),
            "loss": self.function.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "iteration": self.iteration,
            "best": self.best._asdict(),
        }

    def load(self, state):
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self.function.load_state_dict(state["loss"])
        for optimizer, each in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(each)
        self.iteration, self.best = state["iteration"], Best(**state["best"])


def _optimizer(options, groups, weight_decay):
    build = getattr(torch.optim, options.optimizer)
    known = {"momentum": options.momentum} if "momentum" in inspect.signature(build).parameters else {}
    return build(groups, weight_decay=weight_decay, **known)


def in_training_mode(network, frozen):
    """Put a network into training mode, but for what is frozen; see settings.FROZEN."""
    network.train()
    for module in norms_of(network) if frozen != "nothing" else ():
        module.eval()


def norms_of(network):
    return [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


def freeze(network, frozen):
    """Let only those parameters of an EmbeddingNetwork ask for gradients that are trained; returns it."""
    network.requires_grad_(True)
    if frozen == "trunk":
        network.trunk.requires_grad_(False)
    for module in norms_of(network) if frozen == "batchnorm" else ():
        module.requires_grad_(False)
    return network


# ---------------------------------------------------------------------------------------------------------------------
# Embedders on the features of a frozen trunk.
# ---------------------------------------------------------------------------------------------------------------------
class Standardised(nn.Module):
    """Features (n, f) minus their mean, times a scale (f,): on these, one learning rate suits all losses.

    The scale is 1 / standard deviation over the training images. It is 0 for a feature that does not vary there, such as a ReLU that is
    never active: nothing can be learned about it, and an unseen image that activates it must not move the embedding. Standard deviations
    below `SMALLEST_SPREAD` times the median of those that vary are raised to that. Raises ValueError if no feature varies.
    """

    def __init__(self, features):
        super().__init__()
        mean, std = features.double().mean(dim=0), features.double().std(dim=0)
        varies = std > ROUNDING * mean.abs()  # what rounding alone makes is no variation
        if not varies.any():
            raise ValueError("the trunk gives the same features for all training images")
        smallest = SMALLEST_SPREAD * std[varies].median()
        self.raised = int((varies & (std < smallest)).sum())
        self.register_buffer("mean", mean.float())
        self.register_buffer("scale", torch.where(varies, 1 / std.clamp(min=smallest), 0).float())

    @property
    def constant(self):
        """How many features do not vary on the training images."""
        return int((self.scale == 0).sum())

    def forward(self, features):
        return (features - self.mean) * self.scale


@torch.no_grad()
def for_raw_features(standardised, embedder):
    """The embedder of features x that gives what `embedder` gives for standardised(x)."""
    weight, bias = embedder.net[0].weight, embedder.net[0].bias
    raw = Embedder(weight.shape[1], weight.shape[0])
    raw.net[0].weight.copy_(weight * standardised.scale)
    raw.net[0].bias.copy_(bias - (weight * standardised.scale) @ standardised.mean)
    return raw
