"""What takes a model long to say is said once, and kept in the cache folder."""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack, suppress

from torch import Tensor, nn

from ..data.download import alone, cache_folder
from ..training.files import digest, load, save


def cached(
    name: str, model: nn.Module, of: Tensor | list[str], compute: Callable[[], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """What a model says of pictures or texts, computed once: later calls read it from the cache folder.

    A file for each model's name and data; one that is broken or of a model with other weights is computed again and
    replaced. Of several processes one computes and the others wait. A disk that takes no file costs the time of
    computing, nothing more.
    """
    wanted = {"data": fingerprint(of), "model": digest(model.state_dict())}
    try:
        file = cache_folder() / "embeddings" / f"{name} {wanted['data'][:16]}.safetensors"
    except FileNotFoundError:  # no home, no cache
        return compute()
    with ExitStack() as held:
        with suppress(OSError):  # a folder that takes no lock takes no file either
            held.enter_context(alone(file))
        with suppress(OSError, ValueError):  # not there yet, or broken
            tensors, info = load(file)
            if info == wanted:
                return tensors
        tensors = compute()
        with suppress(OSError):
            save(file, tensors, wanted)
        return tensors


def fingerprint(of: Tensor | list[str]) -> str:
    """SHA-256 of a tensor or of texts."""
    if isinstance(of, Tensor):
        return digest({"": of})
    return hashlib.sha256(repr(list(of)).encode()).hexdigest()
