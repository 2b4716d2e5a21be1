"""Checkpoint files: tensors by name, read from and written to files, and loaded into modules.

checkpoint_files.py says where the Reality Check's checkpoints are.
"""

import io
import os
import pickle
import shutil
import warnings
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import nn

from dml_analysis.errors import InputError, refused
from dml_analysis.files import atomic_files

Module = TypeVar("Module", bound=nn.Module)

NESTS = ("state_dict", "model")  # keys under which training code stores the tensors
WEIGHTS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
LARGEST = 1e10  # far above any weight or variance of a trained network


def read_state(file: Path, nested: bool = False) -> dict[str, torch.Tensor]:
    """Return the tensors of a checkpoint by name.

    nested: whether the tensors may be under one of the keys NESTS, alongside other content.
    Raises InputError if the file is truncated, or contains anything but plain, finite tensors.
    """
    with refused(file, "a readable checkpoint", "fetch it again"):
        atomic_files.check_growth(file)
        state = loaded(file)
        if nested and isinstance(state, dict):
            inner = (state[name] for name in NESTS if isinstance(state.get(name), dict))
            state = next(inner, state)
        names = state if isinstance(state, dict) else ()
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError("holds no state_dict, of tensors by name")
        for name, value in state.items():
            if flaw := _flaw(name, value):
                raise ValueError(f"{name} {flaw}")
    if nested and all(name.startswith("module.") for name in state):  # of torch.nn.DataParallel
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def loaded(file: Path) -> Any:
    """Return the content of a file that torch or safetensors wrote, without executing code in it.

    Raises ValueError if it contains something else than tensors and plain containers.
    """
    if file.suffix == ".safetensors":
        return load_file(file)
    with warnings.catch_warnings(action="ignore"):  # about content that is refused anyway
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:  # torch's own message says how to execute the code
            raise ValueError(
                "holds something else than tensors, or nothing that torch has written"
            ) from None


def _flaw(name: str, value: Any) -> str:
    """Return what is wrong with an entry of a checkpoint; "" if nothing is."""
    if not isinstance(value, torch.Tensor):
        return f"is no tensor but a {type(value).__name__}"
    if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
        return f"is no plain tensor ({value.layout}, {value.device.type}, {value.dtype})"
    if value.dtype.is_complex or (value.dtype.is_floating_point and value.dtype not in WEIGHTS):
        return f"has numbers of {value.dtype}"
    if value.untyped_storage().nbytes() < value.numel() * value.element_size():
        return "shows one number in many places"  # an expanded view, of any nominal size
    # Comparisons with NaN are false.
    if value.dtype in WEIGHTS and not bool((value.abs() <= LARGEST).all()):
        return f"contains NaN or infinite values, or some above {LARGEST:.0e}"
    if name.endswith("running_var") and bool((value < 0).any()):
        return "contains a variance below zero"
    return ""


def _number_kind(tensor: torch.Tensor) -> tuple[bool, bool]:
    """Return whether a tensor has floating-point numbers, and whether it has booleans."""
    return tensor.dtype.is_floating_point, tensor.dtype is torch.bool


def fill(
    module: Module,
    file: Path,
    state: dict[str, torch.Tensor] | None = None,
    ignored: tuple[str, ...] = ("last_linear.",),
) -> Module:
    """Load a checkpoint into a module, and return the module.

    state: the file's tensors if they are read already. ignored: prefixes of names that the file
    may have in addition to the module's; by default the classification layer of BN-Inception's
    ImageNet file. Raises InputError on a missing or unknown tensor, or one of another shape or
    kind, and as read_state does.
    """
    own, state = module.state_dict(), read_state(file) if state is None else state
    state = {
        name: value for name, value in state.items() if name in own or not name.startswith(ignored)
    }
    # Old versions of torch did not write the number of batches.
    counters = (name for name in own if name.endswith("num_batches_tracked"))
    state |= {name: own[name] for name in counters if name not in state}
    missing, unknown = own.keys() - state.keys(), state.keys() - own.keys()
    for problem, names in [("has no", missing), ("has unknown", unknown)]:
        if names:
            raise InputError(
                f"{file}: {problem} tensor {min(names)!r} ({len(names)} such); use a checkpoint of this architecture"
            )
    for name, value in state.items():
        if value.shape != own[name].shape and value.squeeze(0).shape == own[name].shape:
            # Some ImageNet files have BatchNorm tensors of shape [1, C].
            state[name] = value = value.squeeze(0)
        if value.shape != own[name].shape:
            raise InputError(
                f"{file}: {name} has shape {tuple(value.shape)}, "
                f"but {tuple(own[name].shape)} is needed; use a checkpoint of this architecture"
            )
        if _number_kind(value) != _number_kind(own[name]):
            raise InputError(
                f"{file}: {name} has numbers of {value.dtype}, but {own[name].dtype} is needed; fetch it again"
            )
    # Tensors that the module shares under several names must be equal in the file.
    first_names: dict[tuple[int, torch.Size], str] = {}
    for name, value in own.items():
        first = first_names.setdefault((value.data_ptr(), value.shape), name)
        if not torch.equal(state[name], state[first]):
            raise InputError(
                f"{file}: {name} and {first} differ, but are one tensor of the network; fetch it again"
            )
    module.load_state_dict(state)
    return module


def save(state: dict[str, Any], file: Path) -> None:
    """Write a state_dict; equal tensors give equal bytes."""
    content = io.BytesIO()  # torch.save(path) would store the temporary file's name in the file
    torch.save(state, content)
    atomic_files.write_bytes(file, content.getvalue())


def save_checkpoint(folder: Path, shared_trunk: Path, embedder: nn.Module) -> None:
    """Write a network in the Reality Check's layout, its trunk as a link to a shared file."""
    link(shared_trunk, folder / "trunk_best.pth")
    save(embedder.state_dict(), folder / "embedder_best.pth")


def link(source: Path, file: Path) -> None:
    """Write a hard link to a file, or a copy where the file system has no hard links."""
    with atomic_files.written_aside(file) as aside:
        try:
            os.link(source, aside)
        except OSError:
            shutil.copyfile(source, aside)
