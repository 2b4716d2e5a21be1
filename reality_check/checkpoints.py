"""Networks from and to checkpoint files; where the files are is a matter of data/checkpoint_files.py."""

import os
import shutil

import torch

from common import safe_files
from common.errors import InputError
from common.seeds import derived_seed
from data.checkpoint_files import check_exist, same_file_key
from reality_check.bn_inception import (
    Embedder,
    EmbeddingNetwork,
    bninception_trunk,
    ready_for_inference,
    seeded,
    trunk_for_inference,
)


def read_state(file):
    """The tensors of a checkpoint by name. Raises InputError if the file is truncated or holds anything else."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds for broken files
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{file}: not a readable checkpoint ({reason}); fetch it again") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"{file}: holds no plain state_dict of tensors; it is not a Reality Check checkpoint")
    return state


def fill(module, file):
    """Load a checkpoint file into a module; every tensor is accounted for. Returns the module.

    Raises InputError on a missing, unknown, misshapen or non-finite tensor.
    """
    own, state = module.state_dict(), read_state(file)
    # The ImageNet file still has its classification layer; files of old torch versions count no batches.
    state = {name: value for name, value in state.items() if name in own or not name.startswith("last_linear.")}
    state |= {name: value for name, value in own.items() if name.endswith("num_batches_tracked") and name not in state}
    for problem, names in [("lacks", own.keys() - state.keys()), ("has unknown", state.keys() - own.keys())]:
        if names:
            raise InputError(
                f"{file}: {problem} tensor {min(names)!r} ({len(names)} such); the architecture is another"
            )
    for name, value in state.items():
        if value.shape != own[name].shape and value.squeeze(0).shape == own[name].shape:
            state[name] = value = value.squeeze(0)  # some ImageNet files carry BatchNorm tensors of shape [1, C]
        if value.shape != own[name].shape:
            raise InputError(f"{file}: {name} has shape {tuple(value.shape)}, but {tuple(own[name].shape)} is needed")
        if not torch.isfinite(value).all():
            raise InputError(f"{file}: {name} contains NaN or infinite values; fetch or train it again")
    module.load_state_dict(state)
    return module


def read_trunk(file):
    """The trunk of a checkpoint file, in eval mode, as it was trained."""
    return fill(bninception_trunk(), file).eval()


def load_trunk(file, device="cpu", precision="float32", gradients=False):
    """The trunk of a checkpoint file; see trunk_for_inference."""
    return trunk_for_inference(read_trunk(file), device, precision, gradients)


def load_embedder(file, seed, fold, device="cpu"):
    """An embedder from its file, or the random one of a model without, from a run's seed and the fold."""
    if file is None:
        embedder = seeded(derived_seed(seed, "embedder of None", fold), Embedder)
    else:
        embedder = fill(Embedder(), file)
    return ready_for_inference(embedder, device)


def load_network(files, seed, fold, device="cpu", precision="float32", gradients=False):
    """The network of (trunk file, embedder file), ready for inference; see load_embedder and trunk_for_inference."""
    check_exist(files)
    trunk = load_trunk(files[0], device, precision, gradients)
    return EmbeddingNetwork(trunk, load_embedder(files[1], seed, fold, device)).eval()


def check_files(files, good_trunks):
    """Read the (trunk file, embedder file) of a network. Raises InputError if one is missing or broken.

    good_trunks: keeps which trunks were read before, as many networks may share one.
    """
    check_exist(files)
    trunk, embedder = files
    if same_file_key(trunk) not in good_trunks:
        read_trunk(trunk)
        good_trunks.add(same_file_key(trunk))
    if embedder:
        fill(Embedder(), embedder)


def save(state, file):
    """Write a state_dict; the same one gives the same bytes."""
    # To an open file: given a path, torch would keep its name, which is the temporary one, in the file.
    with safe_files.written_aside(file) as aside, open(aside, "wb") as stream:
        torch.save(state, stream)


def save_checkpoint(folder, shared_trunk, embedder):
    """Write a network in the Reality Check's layout; the trunk is a hard link where the file system has them."""
    folder.mkdir(parents=True, exist_ok=True)
    with safe_files.written_aside(folder / "trunk_best.pth") as aside:
        try:
            os.link(shared_trunk, aside)
        except OSError:
            shutil.copyfile(shared_trunk, aside)
    save(embedder.state_dict(), folder / "embedder_best.pth")
