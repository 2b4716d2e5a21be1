"""The training of one network: steps, validation steps, stopping, and the state to resume from.

By default it follows the Reality Check: RMSprop for the network and another one for the loss's own
parameters, the weights with the best MAP@R on the validation classes, and early stopping.
Batch samplers and augmentation.py choose the images of a step.
"""

import copy
import inspect
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from dml_analysis.config import TrainingSettings
from dml_analysis.errors import InputError
from dml_analysis.networks.modules import Embedder, EmbeddingNetwork
from dml_analysis.seeds import derived_seed
from dml_analysis.training.losses import TrainingLoss

EPOCH = 100  # iterations between two saved states; an interrupted run loses at most these
SMALLEST_SPREAD = 0.1  # of a feature, as a share of the median standard deviation
ROUNDING = 1e-5  # error of a float32 feature, as a share of its size


class Best(NamedTuple):
    """The best validation step so far."""

    iteration: int = 0
    score: float = -1.0  # MAP@R on the validation classes
    weights: dict | None = None


class Training:
    """A network and its loss in training.

    All randomness of a step depends only on `seed` and the number of the step.
    """

    def __init__(
        self,
        network: EmbeddingNetwork,
        kit: TrainingLoss,
        options: TrainingSettings,
        rate: float,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """Move the network to the device and create the optimizers.

        network: its parameters that require gradients are trained. rate: the trunk's learning
        rate, and the embedder's unless the options say otherwise.
        """
        # Convolutions are fastest in channels-last layout.
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.function, self.miner = kit.function.to(device), kit.miner
        self.options, self.seed = options, seed
        self.device = torch.device(device)
        embedder_rate = options.embedder_learning_rate or rate
        self.rates = {"trunk": rate, "embedder": embedder_rate, "loss": kit.learning_rate}
        groups = []
        for name, module in {"trunk": network.trunk, "embedder": network.embedder}.items():
            trained = [weight for weight in module.parameters() if weight.requires_grad]
            if trained:
                groups.append({"params": trained, "lr": self.rates[name]})
        self.optimizers = [_optimizer(options, groups, options.weight_decay)]
        if kit.learning_rate is not None:
            own = [{"params": list(self.function.parameters()), "lr": kit.learning_rate}]
            decay = options.weight_decay if kit.decays else 0
            self.optimizers.append(_optimizer(options, own, decay))
        self.iteration, self.best = 0, Best()

    def step(
        self, images: Float[torch.Tensor, "n *shape"], labels: Int[torch.Tensor, " n"]
    ) -> float:
        """Train on a batch of images (or features) and their classes; return the loss.

        Raises InputError if the loss is NaN or infinite.
        """
        self.iteration += 1
        seed = derived_seed(self.seed, "step", self.iteration)
        torch.manual_seed(seed)  # for random layers
        np.random.seed(seed % 2**32)  # for miners
        in_training_mode(self.network, self.options.frozen)
        embeddings, labels = self._embedded(images), labels.to(self.device)
        tuples = self.miner(embeddings, labels) if self.miner else None
        value = self.function(embeddings, labels, tuples)
        if not torch.isfinite(value):
            raise InputError(
                f"the loss is {value.item()} at iteration {self.iteration}; set a smaller "
                "learning_rate, or another one of the loss's own parameters"
            )
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        value.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        return float(value.detach())

    def _embedded(self, images: Float[torch.Tensor, "n *shape"]) -> Float[torch.Tensor, "n d"]:
        """Return the embeddings of images, with gradients, on the device."""
        images = images.to(self.device)
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        return self.network.embedder(self.network.trunk(images).float())

    @torch.no_grad()
    def embedded(self, images: Float[torch.Tensor, "n *shape"]) -> Float[torch.Tensor, "n d"]:
        """Return the embeddings of images in eval mode, on the CPU."""
        self.network.eval()
        return self._embedded(images).cpu()

    def record(self, score: float) -> bool:
        """Record the MAP@R on the validation classes; return whether it is the best so far."""
        if not score > self.best.score:
            return False
        self.best = Best(self.iteration, score, copy.deepcopy(self.network.state_dict()))
        return True

    def is_over(self, patience: int) -> bool:
        """Return whether training is complete, or has not improved for `patience` iterations."""
        stale = self.best.iteration and self.iteration - self.best.iteration >= patience
        return self.iteration >= self.options.iterations or bool(stale)

    # ---------------------------------------------------------------------------------------------
    # Interrupting and resuming.
    # ---------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """Return the complete state, in types that torch.load reads with weights_only."""
        return {
            "network": self.network.state_dict(),
            "loss": self.function.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "iteration": self.iteration,
            "best": self.best._asdict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Restore a state."""
        self.network.load_state_dict(state["network"])
        self.function.load_state_dict(state["loss"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.iteration, self.best = state["iteration"], Best(**state["best"])


def _optimizer(
    options: TrainingSettings, groups: list[dict[str, Any]], weight_decay: float
) -> torch.optim.Optimizer:
    """Return the options' optimizer for these parameter groups, with momentum if it has one."""
    build = getattr(torch.optim, options.optimizer)
    has_momentum = "momentum" in inspect.signature(build).parameters
    momentum = {"momentum": options.momentum} if has_momentum else {}
    return build(groups, weight_decay=weight_decay, **momentum)


def in_training_mode(network: nn.Module, frozen: str) -> None:
    """Put a network into training mode, its BatchNorm only if nothing is frozen.

    frozen: one of config.FROZEN.
    """
    network.train()
    for module in norms_of(network) if frozen != "nothing" else ():
        module.eval()


def norms_of(network: nn.Module) -> list[nn.Module]:
    """Return the BatchNorm layers of a network."""
    norm = nn.modules.batchnorm._BatchNorm
    return [module for module in network.modules() if isinstance(module, norm)]


def freeze(network: EmbeddingNetwork, frozen: str) -> EmbeddingNetwork:
    """Let only the trained parameters require gradients; return the network.

    frozen: one of config.FROZEN.
    """
    network.requires_grad_(True)
    network.trunk.requires_grad_(frozen != "trunk")
    for module in norms_of(network) if frozen == "batchnorm" else ():
        module.requires_grad_(False)
    return network


# -------------------------------------------------------------------------------------------------
# Embedders on the features of a frozen trunk.
# -------------------------------------------------------------------------------------------------
class Standardised(nn.Module):
    """Standardise features: subtract their mean, divide by their standard deviation.

    On standardised features one learning rate suits all losses. A feature that does not vary over
    the training images, such as a ReLU that is never active, has the scale 0: nothing can be
    learned about it, and an unseen image that activates it must not move the embedding. Standard
    deviations below `SMALLEST_SPREAD` times the median of those that vary are raised to it.
    """

    mean: Float[torch.Tensor, " f"]
    scale: Float[torch.Tensor, " f"]

    def __init__(self, features: Float[torch.Tensor, "n f"]) -> None:
        """Compute mean and scale of these features. Raises ValueError if no feature varies."""
        super().__init__()
        mean, std = features.double().mean(dim=0), features.double().std(dim=0)
        varies = std > ROUNDING * mean.abs()  # rounding alone is no variation
        if not varies.any():
            raise ValueError("the trunk gives the same features for all training images")
        smallest = SMALLEST_SPREAD * std[varies].median()
        self.raised = int((varies & (std < smallest)).sum())
        self.register_buffer("mean", mean.float())
        self.register_buffer("scale", torch.where(varies, 1 / std.clamp(min=smallest), 0).float())

    @property
    def constant(self) -> int:
        """Return how many features do not vary on the training images."""
        return int((self.scale == 0).sum())

    def forward(self, features: Float[torch.Tensor, "n f"]) -> Float[torch.Tensor, "n f"]:
        """Return the standardised features."""
        return (features - self.mean) * self.scale


@torch.no_grad()
def for_raw_features(standardised: Standardised, embedder: Embedder) -> Embedder:
    """Return the embedder that gives for features x what `embedder` gives for standardised(x)."""
    original: Any = embedder.net[0]
    n_dimensions, n_features = original.weight.shape
    raw = Embedder(n_features, n_dimensions)
    linear: Any = raw.net[0]
    scaled = original.weight * standardised.scale
    linear.weight.copy_(scaled)
    linear.bias.copy_(original.bias - scaled @ standardised.mean)
    return raw
