"""Checkpoint files: tensors by name, from and to modules. Where the Reality Check's are: data/checkpoint_files.py."""

import os
import shutil

import torch

from common import safe_files
from common.errors import InputError, MissingFile

NESTS = ("state_dict", "model")  # under which trainers put the tensors beside other things


def read_state(file, nested=False):
    """The tensors of a checkpoint by name. Raises InputError if the file is truncated or holds anything else.

    nested: whether other things may be beside the tensors, which are then under one of NESTS.
    """
    if not file.is_file():
        raise MissingFile(f"{file}: missing; the settings' `models` name it")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds for broken files
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{file}: not a readable checkpoint ({reason}); fetch it again") from None
    if nested and isinstance(state, dict):
        state = next((state[name] for name in NESTS if isinstance(state.get(name), dict)), state)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"{file}: holds no plain state_dict of tensors; save a network's state_dict()")
    if nested and all(str(name).startswith("module.") for name in state):  # of torch.nn.DataParallel
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def fill(module, file, state=None, ignored=("last_linear.",)):
    """Load a checkpoint file, or its state, into a module; every tensor is accounted for. Returns the module.

    ignored: beginnings of names that the file may have beyond the module's; by default the classification layer of
    BN-Inception's ImageNet file. Raises InputError on a missing, unknown, misshapen or non-finite tensor.
    """
    own, state = module.state_dict(), read_state(file) if state is None else state
    state = {name: value for name, value in state.items() if name in own or not name.startswith(ignored)}
    # Files of old torch versions count no batches.
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
