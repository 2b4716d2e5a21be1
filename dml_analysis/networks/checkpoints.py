"""Checkpoint files: tensors by name, from and to modules. Where the Reality Check's are: dml_analysis/networks/checkpoint_files.py."""

import io
import os
import pickle
import shutil
import warnings

import torch
from safetensors.torch import load_file

from dml_analysis.errors import InputError, refused
from dml_analysis.files import atomic_files

NESTS = ("state_dict", "model")  # under which trainers put the tensors beside other things
WEIGHTS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
LARGEST = 1e10  # far above any weight or variance of a trained network


def read_state(file, nested=False):
    """The tensors of a checkpoint by name. Raises InputError if the file is truncated or holds anything else.

    nested: whether other things may be beside the tensors, which are then under one of NESTS.
    """
    with refused(file, "a readable checkpoint", "fetch it again"):
        atomic_files.check_growth(file)
        state = loaded(file)
        if nested and isinstance(state, dict):
            state = next((state[name] for name in NESTS if isinstance(state.get(name), dict)), state)
        if not isinstance(state, dict) or not state or not all(isinstance(name, str) for name in state):
            raise ValueError("holds no state_dict, of tensors by name")
        for name, value in state.items():
            if flaw := _flaw(name, value):
                raise ValueError(f"{name} {flaw}")
    if nested and all(name.startswith("module.") for name in state):  # of torch.nn.DataParallel
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def loaded(file):
    """All that is in a file, whatever it is; nothing in it is executed."""
    if file.suffix == ".safetensors":
        return load_file(file)
    with warnings.catch_warnings(action="ignore"):  # of what is refused anyway
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:  # torch's own words say how to execute it
            raise ValueError("holds something else than tensors, or nothing that torch has written") from None


def _flaw(name, value):
    """What is wrong with a tensor of a checkpoint; "" if nothing is."""
    if not isinstance(value, torch.Tensor):
        return f"is no tensor but a {type(value).__name__}"
    if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
        return f"is no plain tensor ({value.layout}, {value.device.type}, {value.dtype})"
    if value.dtype.is_complex or (value.dtype.is_floating_point and value.dtype not in WEIGHTS):
        return f"has numbers of {value.dtype}"
    if value.untyped_storage().nbytes() < value.numel() * value.element_size():
        return "shows one number in many places"  # and may be of any size
    if value.dtype in WEIGHTS and not bool((value.abs() <= LARGEST).all()):  # not so either of NaN
        return f"contains NaN or infinite values, or some above {LARGEST:.0e}"
    if name.endswith("running_var") and bool((value < 0).any()):
        return "contains a variance below zero"
    return ""


def _kind(tensor):
    """Whether its numbers are whole or not, or no numbers."""
    return tensor.dtype.is_floating_point, tensor.dtype is torch.bool


def fill(module, file, state=None, ignored=("last_linear.",)):
    """Load a checkpoint file, or its state, into a module; every tensor is accounted for. Returns the module.

    ignored: beginnings of names that the file may have beyond the module's; by default the classification layer of
    BN-Inception's ImageNet file. Raises InputError on a missing, unknown or misshapen tensor, and as read_state does.
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
        if _kind(value) != _kind(own[name]):
            raise InputError(f"{file}: {name} has numbers of {value.dtype}, but {own[name].dtype} is needed")
    names = {}  # of one tensor of the module, which the file may have several times
    for name, value in own.items():
        first = names.setdefault((value.data_ptr(), value.shape), name)
        if not torch.equal(state[name], state[first]):
            raise InputError(f"{file}: {name} and {first} differ, but are one tensor of the network; fetch it again")
    module.load_state_dict(state)
    return module


def save(state, file):
    """Write a state_dict; the same one gives the same bytes."""
    content = io.BytesIO()  # given a path, torch would keep its name, which is the temporary one, in the file
    torch.save(state, content)
    atomic_files.write_bytes(file, content.getvalue())


def save_checkpoint(folder, shared_trunk, embedder):
    """Write a network in the Reality Check's layout, its trunk a link to a file that others share."""
    link(shared_trunk, folder / "trunk_best.pth")
    save(embedder.state_dict(), folder / "embedder_best.pth")


def link(source, file):
    """Give a file another name as well; where the file system has no hard links, it is copied."""
    with atomic_files.written_aside(file) as aside:
        try:
            os.link(source, aside)
        except OSError:
            shutil.copyfile(source, aside)
