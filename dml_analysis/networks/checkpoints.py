"""Checkpoint files: tensors by name, read from and written to files, and loaded into modules.

checkpoint_files.py says where the Reality Check's checkpoints are.
"""

import difflib
import io
import os
import pickle
import re
import shlex
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import nn

from dml_analysis.errors import InputError, refused
from dml_analysis.files import atomic_files

Module = TypeVar("Module", bound=nn.Module)

# Keys under which trainers store the tensors; where several fit, the first one counts.
NESTS = (
    "state_dict",
    "model",
    "model_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema",
    "teacher",
    "student",
)
WEIGHTS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
LARGEST = 1e10  # far above any weight or variance of a trained network
SHOWN = 5  # groups of names in a message

State = dict[str, torch.Tensor]  # tensors by name


# -------------------------------------------------------------------------------------------------
# Reading.
# -------------------------------------------------------------------------------------------------
def read_state(file: Path) -> State:
    """Return the tensors of a checkpoint by name.

    Tensors in a dictionary one level down, as trainers write them, get its key as a prefix:
    `state_dict.conv.weight`; then all else in the file is left out. Raises InputError if the file
    is truncated, contains anything but plain, finite tensors, or would need code to be executed.
    """
    with refused(file, "a readable checkpoint", "fetch it again"):
        atomic_files.check_growth(file)
        content = loaded(file)
        names = content if isinstance(content, dict) else ()
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError("holds no state_dict, of tensors by name")
        state = _without_nests(content)
        for name, value in state.items():
            if flaw := _flaw(name, value):
                raise ValueError(f"{name} {flaw}")
    return state


def _without_nests(content: dict[str, Any]) -> dict[str, Any]:
    """Return a file's content without dictionaries of tensors, whose keys become prefixes."""
    nests = {
        key: value
        for key, value in content.items()
        if isinstance(value, dict)
        and all(isinstance(name, str) for name in value)
        and any(isinstance(each, torch.Tensor) for each in value.values())
    }
    if not nests:
        return content
    state = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
    for key, nest in nests.items():
        state |= {f"{key}.{name}": value for name, value in nest.items()}
    return state


def loaded(file: Path) -> Any:
    """Return the content of a file that torch or safetensors wrote, without executing code in it.

    Raises InputError if it needs code to be executed, ValueError if torch did not write it.
    """
    if file.suffix == ".safetensors":
        return load_file(file)
    with warnings.catch_warnings(action="ignore"):  # about content that is refused anyway
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError) as error:
            if "TorchScript" in str(error):
                raise InputError(
                    f"{file}: is a TorchScript archive; load it in a function of your own, "
                    "as `scripted` of examples/recipes.py does"
                ) from None
            if not isinstance(error, pickle.UnpicklingError):
                raise
            # torch's own message is long, and says how to execute the code.
            if other := re.search(r"GLOBAL (\S+)", str(error)):
                raise InputError(
                    f"{file}: holds more than tensors, such as {other[1]}; if you trust it, save "
                    f"its tensors alone: {tensors_alone(file)}"
                ) from None
            raise ValueError(
                "holds something else than tensors, or nothing that torch has written"
            ) from None


def tensors_alone(file: Path) -> str:
    """Return a shell command that writes a checkpoint's tensors to <name>_tensors.pth."""
    code = (
        "import torch; state = lambda c: getattr(c, 'state_dict', lambda: c)(); "
        f"c = state(torch.load({str(file)!r}, 'cpu', weights_only=False)); "
        f"torch.save({{k: state(v) for k, v in c.items() if torch.is_tensor(v) or k in {NESTS}}}, "
        f"{str(file.with_name(f'{file.stem}_tensors.pth'))!r})"
    )
    return f"python -c {shlex.quote(code)}"


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


# -------------------------------------------------------------------------------------------------
# Loading into modules.
# -------------------------------------------------------------------------------------------------
def unwrapped(
    file: Path, state: State, own: State, convert: Callable[[State], State] = dict
) -> State:
    """Return a checkpoint's tensors without the prefix that trainers put before their names.

    The prefix is the one that leaves the most tensors of `own`, a module's; it is printed. convert:
    called with tensors without a prefix, returns them as the module names them. Raises InputError
    if two prefixes leave the same, unless NESTS says which one counts.
    """
    counts = Counter(chain.from_iterable(map(_prefixes, state)))
    candidates = {
        prefix: convert(
            {name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)}
        )
        for prefix, count in counts.items()
        if prefix == "" or 2 * count >= len(own)
    }
    fits = {
        prefix: sum(
            name in tensors and tensors[name].numel() == value.numel()
            for name, value in own.items()
        )
        for prefix, tensors in candidates.items()
    }
    best = max(fits.values())
    prefix, *others = sorted((each for each in fits if fits[each] == best), key=_rank)
    is_tie = others and prefix and _rank(prefix) == _rank(others[0])
    if is_tie and 2 * best >= len(own):
        raise InputError(
            f"{file}: its tensors fit under {prefix!r} and under {others[0]!r}; save those of one "
            "of them alone"
        )
    if prefix and best:
        _say(f"{file}: takes the {counts[prefix]} tensors under {prefix!r} of {len(state)}")
    return candidates[prefix]


def _prefixes(name: str) -> list[str]:
    """Return the prefixes of a tensor's name: "", "a." and "a.b." of "a.b.weight"."""
    parts = name.split(".")
    return ["", *(".".join(parts[:i]) + "." for i in range(1, len(parts)))]


def _rank(prefix: str) -> int:
    """Return the place of a prefix among those that fit: no prefix, then NESTS, then all others."""
    first = prefix.split(".")[0]
    return NESTS.index(first) if first in NESTS else len(NESTS) if prefix else -1


@cache
def _say(line: str) -> None:
    """Print a line, once in a process."""
    print(line)


def fill(
    module: Module,
    file: Path,
    state: State | None = None,
    ignored: tuple[str, ...] = ("last_linear.",),
) -> Module:
    """Load a checkpoint into a module, and return the module.

    state: the file's tensors, if they are `unwrapped` already. ignored: prefixes of names that the
    file may have in addition to the module's; by default the classification layer of
    BN-Inception's ImageNet file. Raises InputError on a missing or unknown tensor, or one of
    another shape or kind, and as read_state and unwrapped do.
    """
    own = module.state_dict()
    state = unwrapped(file, read_state(file), own) if state is None else state
    state = {
        name: value for name, value in state.items() if name in own or not name.startswith(ignored)
    }
    # Old versions of torch did not write the number of batches.
    counters = (name for name in own if name.endswith("num_batches_tracked"))
    state |= {name: own[name] for name in counters if name not in state}
    if state.keys() != own.keys():
        raise InputError(
            f"{file}: {_differences(own, state)}; use a checkpoint of this architecture"
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


def _differences(own: State, state: State) -> str:
    """Return which of a module's tensors a checkpoint does not have, and which it has in addition."""
    missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    words = []
    if missing:
        nearest = difflib.get_close_matches(missing[0], unknown, n=1)
        hint = f"; the nearest is {nearest[0]!r}" if nearest else ""
        words.append(f"has no tensor {missing[0]!r} ({len(missing)} of {len(own)} missing{hint})")
    if unknown:
        groups = Counter(name.split(".")[0] for name in unknown)
        listed = ", ".join(f"{count} {name}" for name, count in groups.most_common(SHOWN))
        more = ", ..." if len(groups) > SHOWN else ""
        words.append(f"has unknown tensor {unknown[0]!r} ({len(unknown)} such: {listed}{more})")
    return ", ".join(words)


# -------------------------------------------------------------------------------------------------
# Writing.
# -------------------------------------------------------------------------------------------------
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
