"""Files that survive an interruption, remember what made them, and are never pickles."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .run import Run

LARGE = 1000  # rows of a table of which only the changed ones are stored
ROWS, CHANGED = ".rows", ".changed"  # the ends of names: which rows those are, and what they hold


def save_run(path: str | Path, run: Run, info: dict) -> None:
    """Write all of a run: net, average, the optimiser's moments, step and losses. `info` goes along as JSON."""
    tensors = {f"net.{k}": v for k, v in run.net.state_dict().items()}
    tensors["losses"] = torch.tensor(run.losses, dtype=torch.float64)
    tensors |= {f"ema.{k}": v for k, v in run.ema.module.state_dict().items()}
    states = {p: state for opt in run.optimisers for p, state in opt.state.items()}
    for i, p in enumerate(run.net.parameters()):
        tensors |= {f"opt.{i}.{k}": v for k, v in states.get(p, {}).items()}
    scaler = None if run.scaler is None else run.scaler.state_dict()
    now = {"step": run.step, "seed": run.seed, "n_averaged": int(run.ema.n_averaged), "scaler": scaler}
    save(path, tensors, info | now)


def load_run(path: str | Path, run: Run) -> dict:
    """Put a saved run back into a fresh one of the same net; returns the saved info. Raises ValueError like `load`."""
    tensors, info = load(path)
    if "n_averaged" not in info:
        raise ValueError(f"{path} holds weights, not a run; begin a new run with them: --from {path}")
    load_weights(run.net, _under(tensors, "net."), path)
    load_weights(run.ema.module, _under(tensors, "ema."), path)
    owner = {p: opt for opt in run.optimisers for group in opt.param_groups for p in group["params"]}
    for i, p in enumerate(run.net.parameters()):
        state = _under(tensors, f"opt.{i}.")
        if state:
            owner[p].state[p] = {k: v if k == "step" else torch.empty_like(p).copy_(v) for k, v in state.items()}
    run.step, run.seed, run.losses = info["step"], info["seed"], tensors["losses"].tolist()
    run.ema.n_averaged.fill_(info["n_averaged"])
    if info.get("scaler"):
        run.scaler = torch.amp.GradScaler(next(run.net.parameters()).device.type)
        run.scaler.load_state_dict(info["scaler"])
    return info


def save(path: str | Path, tensors: dict[str, Tensor], info: dict) -> None:
    """Write a safetensors file whole or not at all: the last good file stays until the new one is on the disk.

    info: JSON that goes along; a checksum of all goes, too. Raises OSError, with the path and what to do, when it
    cannot be written.
    """
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    told = json.dumps(info)
    with whole(path) as new:
        save_file(tensors, new, metadata={"ddpm_lessons": told, "sha256": digest(tensors, told)})
        os.chmod(new, 0o644)  # safetensors writes for the owner alone


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """The name of a new file to write, for `with`; it takes the place of `path` when it is on the disk, not before.

    Raises OSError, with the path and what to do, when it cannot be written: what was there stays.
    """
    path = Path(path)
    # a folder for what is half written, with the same name every time: what a killed process leaves in it, also files
    # of safetensors' own names, is removed
    room = path.with_name(path.name + ".part")
    try:
        _clear(room)
        room.mkdir(parents=True)
        yield room / path.name
        with open(room / path.name, "rb+") as f:
            os.fsync(f.fileno())
        os.replace(room / path.name, path)
    except (OSError, SafetensorError) as e:
        raise OSError(f"could not write {path}: {e}. What was there is unharmed; is the disk full?") from e
    finally:
        _clear(room)


def _clear(room: Path) -> None:
    shutil.rmtree(room, ignore_errors=True)
    if room.is_file():  # what a download or an older version left
        room.unlink()


def check_folder(folder: str | Path) -> None:
    """Make a folder where there is none. Raises OSError, with what to do, when no file can be made in it."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as e:
        raise OSError(f"nothing can be written in {folder} ({e.strerror or e}); name another --out") from e


def load(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """Read a file that `save` wrote -> (tensors, info). No pickle is ever opened.

    Raises FileNotFoundError when there is none and ValueError when it is cut short, foreign, pickled or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}; `python -m ddpm_lessons train --help` says how to make some")
    try:
        with safe_open(path, framework="pt") as f:
            said = f.metadata() or {}
            told = said.get("ddpm_lessons", "null")
            info = json.loads(told)
            tensors = {k: f.get_tensor(k).clone() for k in f.keys()}  # no longer tied to the file
    except (SafetensorError, ValueError) as e:
        with open(path, "rb") as f:
            head = f.read(2)
        if head in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05"):
            why = "which can run code when opened; only safetensors files are read here"
            raise ValueError(f"{path} is a pickle, {why}") from e
        raise ValueError(f"{path} is cut short or no safetensors file ({e}); fetch or train it again") from e
    if not isinstance(info, dict):
        raise ValueError(f"{path} was not written by ddpm_lessons: it does not say which system it belongs to")
    if said.get("sha256") not in (digest(tensors, told), digest(tensors)):  # of the numbers alone in older files
        raise ValueError(f"{path} is damaged: it does not hold what was written; fetch or train it again")
    return tensors, info


def digest(tensors: dict[str, Tensor], told: str = "") -> str:
    """SHA-256 of a text and of named tensors, their shapes and types.  Any device, any order of the names."""
    found = hashlib.sha256(told.encode())
    for name, value in sorted(tensors.items()):
        found.update(repr((name, str(value.dtype), tuple(value.shape))).encode())
        found.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def changed_rows(tensors: dict[str, Tensor], build: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """Tensors without those rows of large tables that training left as a new net has them; `load_weights` adds them.

    A text model has a row for each of 49,408 pieces of words, and most of those stand in no caption.
    build: makes a new net, the same at each call as far as such tables are concerned.
    """
    tables = [k for k, v in tensors.items() if v.ndim == 2 and len(v) >= LARGE]
    fresh, found = build().state_dict() if tables else {}, dict(tensors)
    for name in tables:
        before, now = fresh[name].cpu(), tensors[name].cpu()
        if before.shape == now.shape:
            rows = (now != before.to(now.dtype)).any(1).nonzero()[:, 0]
            found |= {f"{name}{ROWS}": rows, f"{name}{CHANGED}": found.pop(name)[rows]}
    return found


def load_weights(net: nn.Module, tensors: dict[str, Tensor], path: str | Path) -> None:
    """Put weights into a net. Raises ValueError when they belong to another one, or are not finite."""
    if not all(v.isfinite().all() for v in tensors.values()):
        raise ValueError(f"{path} holds numbers that are not finite: the training that made it went astray")
    values = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    try:
        for name in [k.removesuffix(ROWS) for k in values if k.endswith(ROWS)]:
            rows, changed = values.pop(name + ROWS), values.pop(name + CHANGED)
            before = net.state_dict()[name].cpu().to(tensors[name + CHANGED].dtype).float()  # as coarse as the others
            values[name] = before.index_copy(0, rows, changed)
        net.load_state_dict(values)
    except (KeyError, IndexError, RuntimeError) as e:
        why = [line.strip() for line in str(e).splitlines()]
        raise ValueError(f"{path} holds the weights of another net: {why[min(1, len(why) - 1)][:150]}") from e


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
