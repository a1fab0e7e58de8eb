"""Prompts and pictures as vectors of one space: CLIP, an open_clip model, the bundled tiny one or OpenAI's."""

# open_clip is imported where it is used: it takes seconds, and `--help` should not

import json
import logging
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..conditions import Cond
from ..data.files import bundled
from ..training.files import load, load_weights

TINY = {  # an open_clip configuration, a thousandth of OpenAI's compute
    "embed_dim": 128,
    "vision_cfg": {"image_size": 32, "patch_size": 4, "layers": 4, "width": 128, "head_width": 32},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
BUNDLED = {"tiny": "clip.safetensors", "tiny, many words": "clip_words.safetensors"}


@dataclass(frozen=True)
class Clip:
    """A CLIP model with what it needs around it.  size: of the pictures it sees;  mean, std: of their colours.

    It computes where the model lies; what comes out lies on the CPU.
    """

    name: str
    model: nn.Module
    tokenize: Callable[[list[str]], Tensor]
    size: int
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    @torch.no_grad()
    def texts(self, prompts: list[str]) -> Tensor:
        """A unit vector for each prompt, (N, D).  Raises ValueError for an empty one."""
        return self.model.encode_text(self.tokens(prompts).to(self.device), normalize=True).float().cpu()

    def tokens(self, prompts: list[str]) -> Tensor:
        """Numbers of the pieces of words, (N, L): start, pieces, end, zeros; a long prompt is cut.

        Raises ValueError for an empty prompt.
        """
        check_prompts(prompts)
        return self.tokenize(prompts)

    @torch.no_grad()
    def words(self, prompts: list[str]) -> Cond:
        """The prompts' vectors (N, D) and the states of their tokens (N, L, E), with a mask of those that are real.

        The states are the last layer's, before the end's is taken for the whole; the start's is left out, as it has
        seen nothing. Raises ValueError for an empty prompt, and for a text tower that is not built like OpenAI's.
        """
        if not hasattr(self.model, "ln_final"):
            raise ValueError(f"{self.name} keeps its words elsewhere than OpenAI's CLIP; use texts(), or another model")
        tokens, states = self.tokens(prompts), []
        hook = self.model.ln_final.register_forward_hook(lambda *args: states.append(args[2]))
        try:
            vec = self.model.encode_text(tokens.to(self.device), normalize=True).float().cpu()
        finally:
            hook.remove()
        mask = torch.arange(tokens.shape[1]) <= tokens.argmax(1, keepdim=True)  # the end has the largest number
        return Cond(vec, states[0][:, 1:].float().cpu() * mask[:, 1:, None], mask[:, 1:])

    @torch.no_grad()
    def pictures(self, x: Tensor) -> Tensor:
        """A unit vector for each picture.  (N, 3, H, W) in [-1, 1] -> (N, D)"""
        parts = tqdm(x.split(100), desc="CLIP sees pictures", leave=False, disable=len(x) <= 500)
        see = lambda part: self.model.encode_image(self.prepared(part.to(self.device)), normalize=True)  # noqa: E731
        return torch.cat([see(part).float().cpu() for part in parts])

    def prepared(self, x: Tensor) -> Tensor:
        """Pictures in [-1, 1] in the size and the colours that the model was trained with."""
        if x.shape[-1] != self.size:
            x = F.interpolate(x, size=self.size, mode="bicubic", antialias=True).clamp(-1, 1)
        mean, std = (torch.tensor(v).view(3, 1, 1).to(x) for v in (self.mean, self.std))
        return ((x + 1) / 2 - mean) / std

    def notes(self, prompt: str, texts: Sequence[str]) -> list[str]:
        """What the reader should know before trusting the picture: words that were in no training text, a cut prompt.

        texts: all training texts.
        """
        new = new_words(prompt, texts)
        listed = ", ".join(short(w) for w in new[:5])
        notes = [f"no training text had the word{'s' * (len(new) > 1)} {listed}"] if new else []
        room = self.tokens([prompt]).shape[1]
        if len(tokenizer().encode(prompt)) + 2 > room:
            notes.append(f"only the first {room - 2} pieces of words are read")
        return notes


def check_prompts(prompts: list[str]) -> None:
    """Raise ValueError unless it is a list of texts with a word in each."""
    if isinstance(prompts, str) or not prompts or not all(isinstance(p, str) and p.strip() for p in prompts):
        got = reprlib.repr(prompts)
        raise ValueError(f'prompts are a list of texts with a word in each, such as ["a pink rose"], got {got}')
    if any("\ud800" <= c <= "\udfff" for p in prompts for c in p):  # bytes that the terminal sent in another encoding
        raise ValueError(f"a prompt should be text in UTF-8, got {ascii(reprlib.repr(prompts))}")


def new_words(prompt: str, texts: Sequence[str]) -> list[str]:
    """The words of a prompt that none of the texts has."""
    seen = set(words_of(" ".join(texts)))
    return [w for w in dict.fromkeys(words_of(prompt)) if w not in seen]


def short(word: str, most: int = 20) -> str:
    """A word to be printed, cut where it is longer than any word."""
    return word if len(word) <= most else f"{word[:most]}..."


def words_of(text: str) -> list[str]:
    """The words of a text, in small letters, without signs."""
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def whole_words(but: set[str]) -> tuple[str, ...]:
    """The words of two to ten letters that the tokenizer knows in one piece, without some."""
    pieces = (p.removesuffix("</w>") for p in tokenizer().encoder if p.endswith("</w>"))
    return tuple(w for w in pieces if w.isascii() and w.isalpha() and 2 <= len(w) <= 10 and w not in but)


def tiny_clip(seed: int = 0, name: str = "tiny") -> Clip:
    """A small, untrained CLIP for pictures of 32 px: 4.1 M parameters, most of them the vocabulary's."""
    import open_clip

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.model.CLIP(**json.loads(json.dumps(TINY)))
    return Clip(name, model.eval(), tokenizer(), TINY["vision_cfg"]["image_size"])


@cache
def tokenizer() -> Callable[[list[str]], Tensor]:
    """OpenAI's pieces of words, cut to the tiny CLIP's length."""
    import open_clip

    return open_clip.get_tokenizer("ViT-B-32", context_length=TINY["text_cfg"]["context_length"])


def zero_shot(clip: Clip, x: Tensor, prompts: list[str]) -> Tensor:
    """For each picture the number of the prompt that it is nearest to.  (N, 3, H, W) -> (N,)"""
    return (clip.pictures(x) @ clip.texts(prompts).T).argmax(1)


@cache
def load_clip(name: str = "tiny", pretrained: str | None = None, device: torch.device | str = "cpu") -> Clip:
    """A bundled tiny CLIP, "tiny" or "tiny, many words", or open_clip's, such as load_clip("ViT-B-32", "openai").

    open_clip's are downloaded once, 350 MB. Raises ConnectionError when one cannot be downloaded, ValueError for a name
    that open_clip does not know.
    """
    if name in BUNDLED:
        clip, file = tiny_clip(name=name), bundled(BUNDLED[name])
        load_weights(clip.model, load(file)[0], file)
        clip.model.to(device)
        return clip
    import open_clip

    if name not in open_clip.list_models():
        raise ValueError(f"open_clip knows no model {name!r}; tiny comes with the course, ViT-B-32 is a good start")
    if pretrained not in open_clip.list_pretrained_tags_by_model(name):
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name))
        raise ValueError(f"{name} has no weights {pretrained!r}; there are {tags}")
    quick = "quick_gelu" in (open_clip.get_pretrained_cfg(name, pretrained) or {})
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)  # open_clip logs what is raised anyway
    try:
        model = open_clip.create_model(name, pretrained, force_quick_gelu=quick).eval().to(device)
    except (RuntimeError, OSError) as e:
        why = str(e).splitlines()[0]
        raise ConnectionError(f"{name} cannot be downloaded ({why}); load_clip() needs no network") from e
    finally:
        logging.disable(before)
    looks = model.visual.preprocess_cfg
    size = looks["size"] if isinstance(looks["size"], int) else looks["size"][0]
    return Clip(f"{name} {pretrained}", model, open_clip.get_tokenizer(name), size, looks["mean"], looks["std"])
