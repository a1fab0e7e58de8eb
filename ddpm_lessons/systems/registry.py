"""The systems by name, and files that remember every choice of the system that made them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from .. import __version__, data
from ..training.files import changed_rows, load, load_weights, save
from .autoencoder import AutoencoderTraining
from .base import System
from .cascade import Cascade, flowers_cascade
from .choices import from_json, in_words, to_json
from .cifar import cifar10, cifar10_small, stl10
from .clip import ClipTraining, clip_words
from .diffusion import Diffusion
from .digits import digits, mnist_text
from .faces import faces, faces_small
from .flowers import drawn, flowers, flowers_text
from .imagen import imagen_base, imagen_full, imagen_large, imagen_small, imagen_toy
from .latent import LatentDiffusion, flowers_latent
from .prior import Decoder, Prior, flowers_pictures, prior
from .published import flowers_clip, flowers_text_guided, flowers_text_simple
from .rivals import GanTraining, VaeTraining

KINDS = {
    kind.__name__: kind
    for kind in (
        *(Diffusion, LatentDiffusion, Cascade, Decoder, Prior, ClipTraining, AutoencoderTraining),
        *(VaeTraining, GanTraining),
    )
}
SYSTEMS: dict[str, Callable[[], System]] = {
    f.__name__: f
    for f in (
        *(flowers, digits, drawn, cifar10, cifar10_small, stl10),
        *(flowers_text, flowers_clip, flowers_text_simple, flowers_text_guided, mnist_text, flowers_latent),
        *(flowers_cascade, clip_words, flowers_pictures, prior, faces, faces_small),
        *(imagen_toy, imagen_small, imagen_base, imagen_large, imagen_full),
    )
} | {"clip": ClipTraining, "autoencoder": AutoencoderTraining, "vae": VaeTraining, "gan": GanTraining}
HOW = {"limit", "sampler", "steps", "scale", "about", "minutes", "first_scale", "believe"}  # how pictures are made
USE = {"net", "predict", "schedule", "text", "classes", "size"}  # what a network in use depends on


def system(name: str) -> System:
    """The system of that name, as it is today. Raises ValueError, with the names there are, for another."""
    if name not in SYSTEMS:
        raise ValueError(f"there is no system {name!r}; there are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]()


def card(of: System) -> dict[str, Any]:
    """Every choice of a system, as JSON."""
    return {"kind": type(of).__name__} | {f.name: to_json(getattr(of, f.name)) for f in dataclasses.fields(of)}


def from_card(written: dict[str, Any], path: str | Path) -> System:
    """The system that a card describes; how pictures are made, `HOW`, is today's where the name is still known.

    path: of the file, for the message. Raises ValueError for a card that this version cannot read.
    """
    kind, today = KINDS.get(written.get("kind")), SYSTEMS.get(written.get("name"), lambda: None)()
    if kind is None:
        raise ValueError(f"{path} was written by another version of the course: it holds a {written.get('kind')}")
    choices = {}
    for field in dataclasses.fields(kind):
        if today is not None and (field.name in HOW or '"own"' in str(written.get(field.name)).replace("'", '"')):
            choices[field.name] = getattr(today, field.name)
        elif field.name in written:
            try:
                choices[field.name] = from_json(written[field.name])
            except ValueError as e:
                raise ValueError(f"{path} cannot be opened: {e}") from e
    return kind(**choices)


def differences(written: dict[str, Any], names: set[str] | None = None) -> str:
    """What differs between a card and today's system of its name, in words; empty when nothing does.

    names: the choices to compare (None: all but `HOW`).
    """
    if written["name"] not in SYSTEMS:
        return f"there is no system {written['name']} any more; all comes from the file"
    today = card(SYSTEMS[written["name"]]())
    names = (set(written) | set(today)) - HOW if names is None else names
    # a choice that the file does not know came later: the file opens with its default
    other = [n for n in today if n in names and n in written and today[n] != written[n]]
    return "; ".join(f"{n}: {in_words(written.get(n))} (today {in_words(today[n])})" for n in other)


def save_weights(path: str | Path, of: System, net: nn.Module, step: int, **more: Any) -> None:
    """Write a trained network in half precision, with every choice that made it. Raises OSError like `save`.

    more: what else the file should remember, as JSON: the command, the data, the seed.
    """
    info = {"system": card(of), "step": step, "version": __version__} | more
    half = {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    save(path, changed_rows(half, of.build), info)


def card_of(info: dict[str, Any], path: str | Path) -> dict[str, Any]:
    """The card in a file's info. Raises ValueError where there is none."""
    if not isinstance(info.get("system"), dict):
        raise ValueError(f"{path} does not say what made it: it was written by an older version, or by something else")
    return info["system"]


def open_weights(path: str | Path) -> tuple[System, nn.Module]:
    """Read what `save_weights` wrote -> (system, network), both as they were when the file was made.

    Raises FileNotFoundError or ValueError like `load`, and ValueError for a run in place of weights.
    """
    tensors, info = load(path)
    if "n_averaged" in info:
        raise ValueError(f"{path} holds a run, not a finished network; take the file without .run in its name")
    try:
        found = from_card(card_of(info, path), path)
        net = found.build()
    except (TypeError, KeyError, AttributeError) as e:  # choices that mean something else today
        raise ValueError(f"{path} was written by another version of the course, which this one cannot read: {e}") from e
    load_weights(net, tensors, path)
    return found, net.eval()


def bundled(name: str) -> tuple[System, nn.Module]:
    """The weights that come with the course. Raises ValueError for another name, FileNotFoundError where none lie."""
    return open_weights(data.bundled(f"{system(name).name}.safetensors"))
