"""Prompts and pictures as vectors of one space: CLIP, an open_clip model, the bundled tiny one or OpenAI's."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from . import data
from .captions import COLOURS, caption, colours, names, prompts
from .conditions import Cond
from .download import cache_folder
from .train import Batch, Run, fit, load, save

TINY = {  # an open_clip configuration, a thousandth of OpenAI's compute
    "embed_dim": 128,
    "vision_cfg": {"image_size": 32, "patch_size": 4, "layers": 4, "width": 128, "head_width": 32},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


@dataclass(frozen=True)
class Clip:
    """A CLIP model with what it needs around it.  size: of the pictures it sees;  mean, std: of their colours."""

    name: str
    model: nn.Module
    tokenize: Callable[[list[str]], Tensor]
    size: int
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    @torch.no_grad()
    def texts(self, prompts: list[str]) -> Tensor:
        """A unit vector for each prompt, (N, D).  Raises ValueError for an empty one."""
        return self.model.encode_text(self.tokens(prompts), normalize=True).float()

    def tokens(self, prompts: list[str]) -> Tensor:
        """Numbers of the pieces of words, (N, L): start, pieces, end, zeros; a long prompt is cut.

        Raises ValueError for an empty prompt.
        """
        if isinstance(prompts, str) or not prompts or not all(isinstance(p, str) and p.strip() for p in prompts):
            raise ValueError(
                f'prompts are a list of texts with a word in each, such as ["a pink rose"], got {prompts!r}'
            )
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
            vec = self.model.encode_text(tokens, normalize=True).float()
        finally:
            hook.remove()
        mask = torch.arange(tokens.shape[1]) <= tokens.argmax(1, keepdim=True)  # the end has the largest number
        return Cond(vec, states[0][:, 1:].float() * mask[:, 1:, None], mask[:, 1:])

    @torch.no_grad()
    def pictures(self, x: Tensor) -> Tensor:
        """A unit vector for each picture.  (N, 3, H, W) in [-1, 1] -> (N, D)"""
        parts = tqdm(x.split(100), desc="CLIP sees pictures", leave=False, disable=len(x) <= 500)
        return torch.cat([self.model.encode_image(self.prepared(part), normalize=True).float() for part in parts])

    def prepared(self, x: Tensor) -> Tensor:
        """Pictures in [-1, 1] in the size and the colours that the model was trained with."""
        if x.shape[-1] != self.size:
            x = F.interpolate(x, size=self.size, mode="bicubic", antialias=True).clamp(-1, 1)
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (self.mean, self.std))
        return ((x + 1) / 2 - mean) / std

    def notes(self, prompt: str, told: Sequence[str]) -> list[str]:
        """What the reader should know before trusting the picture: words that were in no training text, a cut prompt.

        told: all training texts.
        """
        seen = set(words_of(" ".join(told)))
        new = [w for w in dict.fromkeys(words_of(prompt)) if w not in seen]
        notes = [f"no training text had the word{'s' * (len(new) > 1)} {', '.join(new[:5])}"] if new else []
        room = self.tokens([prompt]).shape[1]
        if len(tokenizer().encode(prompt)) + 2 > room:
            notes.append(f"only the first {room - 2} pieces of words are read")
        return notes


def words_of(text: str) -> list[str]:
    """The words of a text, in small letters, without signs."""
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def tiny_clip(seed: int = 0) -> Clip:
    """A small, untrained CLIP for pictures of 32 px: 4.1 M parameters, most of them the vocabulary's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.model.CLIP(**json.loads(json.dumps(TINY)))
    return Clip("tiny", model.eval(), tokenizer(), TINY["vision_cfg"]["image_size"])


@cache
def tokenizer() -> Callable[[list[str]], Tensor]:
    """OpenAI's pieces of words, cut to the tiny CLIP's length."""
    return open_clip.get_tokenizer("ViT-B-32", context_length=TINY["text_cfg"]["context_length"])


@dataclass(frozen=True)
class ClipRecipe:
    """How the bundled CLIP was trained: photographs of flowers and what people might write for them.

    A batch holds one picture of each colour and kind, or of each kind, or of each colour, so that no caption of another
    picture is right as well: the loss takes all but the own one for wrong.
    """

    name: str = "clip"
    about: str = "CLIP: pictures and captions of five flowers"
    classes: tuple[str, ...] = data.FLOWERS
    size: int = TINY["vision_cfg"]["image_size"]
    margin: int = 6
    lr: float = 1e-3
    fall: float = 500
    decay: float = 0.995
    minutes: float = 15

    def pictures(self, folder=None, size: int | None = None) -> data.Pictures:
        """The photographs.  Raises like `data.flowers`."""
        return data.flowers(self.size + self.margin if size is None else size, folder)

    def build(self) -> nn.Module:
        """A new, untrained model."""
        return tiny_clip().model

    def run(self, seed: int = 0) -> Run:
        """A new training run."""
        return Run(tiny_clip(seed).model, self.lr, self.decay, seed, self.fall)

    def batches(self, pictures: data.Pictures) -> Batch:
        """rng -> (x0, tokens as a Cond): pictures that are not held out, cropped and mirrored, with a caption each."""
        kept = ~held_out(pictures)
        x, y, found = pictures.x[kept], pictures.y[kept].tolist(), colours(pictures.x[kept])
        groups: list[dict[tuple, list[int]]] = [{}, {}, {}]
        for i, (k, colour) in enumerate(zip(y, found)):
            kind = pictures.classes[k]
            for group, key in zip(groups, ((colour, kind), ("", kind), (colour, "flower"))):
                group.setdefault(key, []).append(i)
        groups = [{key: places for key, places in g.items() if len(places) >= 8} for g in groups]
        said = {key: tokenizer()(prompts(*key)) for g in groups for key in g}

        def batch(rng):
            group = groups[(0, 0, 1, 2)[int(torch.randint(4, (), generator=rng))]]
            i = torch.tensor([p[int(torch.randint(len(p), (), generator=rng))] for p in group.values()])
            x0 = data.cropped(x, i, self.size, True, rng)
            rows = [said[key][int(torch.randint(len(said[key]), (), generator=rng))] for key in group]
            return x0, Cond(torch.stack(rows))

        return batch

    def loss(self, net: nn.Module, x0: Tensor, cond: Cond, rng: torch.Generator) -> Tensor:
        """CLIP's own (arXiv 2103.00020, figure 3): each picture picks its caption, each caption its picture.  (11.3)"""
        image, text, scale = net(x0, cond.vec)[:3]
        return open_clip.ClipLoss()(image.float(), text.float(), scale.clamp(max=100))

    def report(self, net: nn.Module, pictures: data.Pictures) -> str:
        """Zero-shot accuracy on the pictures that were held out."""
        clip = replace(tiny_clip(), model=net.cpu().eval())
        i = held_out(pictures)
        m = self.margin // 2
        x = pictures.x[i][:, :, m : m + self.size, m : m + self.size]
        kinds, colour = [f"a {k}" for k in pictures.classes], [caption(c, "flower") for c in COLOURS]
        right = zero_shot(clip, x, kinds) == pictures.y[i]
        same = zero_shot(clip, x, colour) == torch.tensor([COLOURS.index(c) for c in colours(x)])
        kind, colour = (f"{100 * v.double().mean():.0f} %" for v in (right, same))
        return f"{kind} of {len(x)} held-out photographs are nearest to their kind's name, {colour} to their colour's"


def told_texts(clip: Clip, said: list[list[str]]) -> data.Tell:
    """What `data.batches` asks for: a random one of the texts that fit each picture, as many for each; encoded once."""
    texts = list(dict.fromkeys(p for fitting in said for p in fitting))
    table = Cond(**kept(clip, texts, lambda: clip.words(texts)._asdict()))
    number = {p: i for i, p in enumerate(texts)}
    rows = torch.tensor([[number[p] for p in fitting] for fitting in said])

    def tell(i, rng):
        chosen = rows[i, torch.randint(rows.shape[1], (len(i),), generator=rng)]
        return table.each(lambda v: v[chosen])

    return tell


def told_captions(clip: Clip, pictures: data.Pictures) -> data.Tell:
    """`told_texts` of flowers: half name the kind and the colour, read off the pixels; half the kind alone."""
    said = zip(colours(pictures.x), (pictures.classes[k] for k in pictures.y.tolist()), strict=True)
    return told_texts(clip, [prompts(colour, kind)[:6] + prompts("", kind)[:6] for colour, kind in said])


def told_names(clip: Clip, pictures: data.Pictures) -> data.Tell:
    """`told_texts` of anything: what it is, in four ways.  (System E)"""
    return told_texts(clip, [names(pictures.classes[k]) for k in pictures.y.tolist()])


def told_pictures(clip: Clip, pictures: data.Pictures) -> data.Tell:
    """What `data.batches` asks for: each picture's own vector, computed once.  (System A: texts when sampling.)"""
    size, margin = clip.size, max(pictures.x.shape[-1] - clip.size, 0) // 2
    x = pictures.x[..., margin : margin + size, margin : margin + size]
    vec = kept(clip, x, lambda: {"vec": clip.pictures(x)})["vec"]
    return lambda i, rng: Cond(vec[i])


def kept(clip: Clip, of: Tensor | list[str], compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """What CLIP says of pictures or texts, computed once: later calls read it from the cache folder.

    A file for each model's name and data; one that is broken or of a model with other weights is computed again and
    replaced. A disk that takes no file costs the time of computing, nothing more.
    """
    wanted = {"data": fingerprint(of), "model": fingerprint(clip.model.state_dict())}
    file = cache_folder() / "embeddings" / f"{clip.name} {wanted['data'][:16]}.safetensors"
    try:
        tensors, info = load(file)
        if info == wanted:
            return tensors
    except (OSError, ValueError):
        pass  # not there yet, or broken
    tensors = compute()
    try:
        save(file, tensors, wanted)
    except OSError:
        pass
    return tensors


def fingerprint(of: Tensor | list[str] | dict[str, Tensor]) -> str:
    """SHA-256 of a tensor, of texts, or of a model's weights."""
    found = hashlib.sha256()
    for name, value in of.items() if isinstance(of, dict) else enumerate([of] if isinstance(of, Tensor) else of):
        found.update(repr((name, value if isinstance(value, str) else tuple(value.shape))).encode())
        if isinstance(value, Tensor):
            found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def zero_shot(clip: Clip, x: Tensor, prompts: list[str]) -> Tensor:
    """For each picture the number of the prompt that it is nearest to.  (N, 3, H, W) -> (N,)"""
    return (clip.pictures(x) @ clip.texts(prompts).T).argmax(1)


def held_out(pictures: data.Pictures) -> Tensor:
    """One picture in ten, always the same: (N,) bool."""
    return torch.rand(len(pictures.x), generator=torch.Generator().manual_seed(10)) < 0.1


@cache
def load_clip(name: str = "tiny", pretrained: str | None = None) -> Clip:
    """The bundled tiny CLIP, or one of open_clip's, such as load_clip("ViT-B-32", "openai"), downloaded once, 350 MB.

    Raises ConnectionError when it cannot be downloaded, ValueError for a name that open_clip does not know.
    """
    if name == "tiny":
        clip, file = tiny_clip(), data.bundled("clip.safetensors")
        fit(clip.model, load(file)[0], file)
        return clip
    if name not in open_clip.list_models():
        raise ValueError(f"open_clip knows no model {name!r}; tiny comes with the course, ViT-B-32 is a good start")
    if pretrained not in open_clip.list_pretrained_tags_by_model(name):
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name))
        raise ValueError(f"{name} has no weights {pretrained!r}; there are {tags}")
    quick = "quick_gelu" in (open_clip.get_pretrained_cfg(name, pretrained) or {})
    logging.disable(logging.ERROR)  # open_clip logs what is raised anyway
    try:
        model = open_clip.create_model(name, pretrained, force_quick_gelu=quick).eval()
    except (RuntimeError, OSError) as e:
        why = str(e).splitlines()[0]
        raise ConnectionError(f"{name} cannot be downloaded ({why}); load_clip() needs no network") from e
    finally:
        logging.disable(logging.NOTSET)
    looks = model.visual.preprocess_cfg
    size = looks["size"] if isinstance(looks["size"], int) else looks["size"][0]
    return Clip(f"{name} {pretrained}", model, open_clip.get_tokenizer(name), size, looks["mean"], looks["std"])
