"""What a network is told of its training pictures, and of a prompt: texts, or CLIP's vectors of the pictures."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice

import torch
import torch.nn.functional as F
from torch import Tensor

from ..conditions import Cond
from ..data.batches import Tell
from ..data.captions import COLOURS, colours, names, prompts
from ..data.files import Pictures
from ..data.sets import FLOWERS
from ..data.wordings import Scene, scenes, wordings
from ..training.device import device
from .cache import cached
from .clip import Clip, load_clip, whole_words, words_of
from .encoders import load_encoder, tell_own


@dataclass(frozen=True)
class Text:
    """A way to tell a network in words what a picture should show; weights files remember it by its name.

    encode: prompts -> Cond;  tell: Pictures -> what they show, for `data.batches`;  said: class -> all the texts that
    its pictures may come with in training, [] where that is not known;  notes: (prompt, all texts) -> what a reader
    should know before trusting the prompt's picture.
    """

    name: str
    encode: Callable[[list[str]], Cond]
    tell: Callable[[Pictures], Tell]
    said: Callable[[str], list[str]] = lambda kind: []
    notes: Callable[[str, list[str]], list[str]] = lambda prompt, texts: (
        load_clip().notes(prompt, texts) if texts else []
    )


def telling(clip: Clip, said: list[list[str]]) -> Tell:
    """What `data.batches` asks for: a random one of the texts that fit each picture, as many for each; encoded once."""
    texts = list(dict.fromkeys(p for fitting in said for p in fitting))
    table = Cond(**cached(clip.name, clip.model, texts, lambda: clip.words(texts)._asdict()))
    number = {p: i for i, p in enumerate(texts)}
    rows = torch.tensor([[number[p] for p in fitting] for fitting in said])

    def tell(i, rng):
        chosen = rows[i, torch.randint(rows.shape[1], (len(i),), generator=rng)]
        return table.each(lambda v: v[chosen])

    return tell


def tell_captions(clip: Clip, pictures: Pictures) -> Tell:
    """`telling` of flowers: half name the kind and the colour, read off the pixels; half the kind alone."""
    said = zip(colours(pictures.x), (pictures.classes[k] for k in pictures.y.tolist()), strict=True)
    return telling(clip, [prompts(colour, kind)[:6] + prompts("", kind)[:6] for colour, kind in said])


def tell_wordings(clip: Clip, pictures: Pictures) -> Tell:
    """`telling` of flowers in many words, colour and scene read off the pixels.

    Half of the texts have the colour, half have not; half of both are interrupted by other words.
    """
    seen = zip(colours(pictures.x), scenes(pictures.x), (pictures.classes[k] for k in pictures.y.tolist()), strict=True)
    said = [[wordings(colour, kind, scene), wordings("", kind, scene)] for colour, scene, kind in seen]
    most, rng = max(len(texts) for pair in said for texts in pair), torch.Generator().manual_seed(0)
    texts = dict.fromkeys(p for pair in said for texts in pair for p in texts)
    forms = {p: [p, p, interrupted(p, rng), interrupted(p, rng)] for p in texts}
    return telling(clip, [[f for texts in pair for p in islice(cycle(texts), most) for f in forms[p]] for pair in said])


def interrupted(text: str, rng: torch.Generator) -> str:
    """A text with one to four words before, between and after its own: what else people write around what they want.

    They are words that no caption has, so a model that meets them has to read past what it does not know.
    """
    found = text.split(" ")
    for _ in range(int(torch.randint(1, 5, (), generator=rng))):
        place = int(torch.randint(len(found) + 1, (), generator=rng))
        found.insert(place, other_words()[int(torch.randint(len(other_words()), (), generator=rng))])
    return " ".join(found)


@cache
def other_words() -> tuple[str, ...]:
    """The tokenizer's own words of two to ten letters that no caption has, about 31,000."""
    ours = set(words_of(" ".join(p for kind in FLOWERS for p in WORDINGS.said(kind))))
    return whole_words(ours)


def without_the(prompt: str) -> str:
    """A prompt without the word "the", but in "the sky" and "the blue sky".

    The captions have it nowhere else, so who was told them takes every "the" for a sky.
    """
    return re.sub(r"\bthe\s+(?!(blue )?sky\b)", "", prompt, flags=re.IGNORECASE) or prompt


def tell_names(clip: Clip, pictures: Pictures) -> Tell:
    """`telling` of anything: what it is, in four ways."""
    return telling(clip, [names(pictures.classes[k]) for k in pictures.y.tolist()])


def tell_pictures(clip: Clip, pictures: Pictures) -> Tell:
    """What `data.batches` asks for: each picture's own vector, computed once."""
    vec = vectors(clip, pictures.x)
    return lambda i, rng: Cond(vec[i])


def vectors(clip: Clip, x: Tensor) -> Tensor:
    """A unit vector of the middle of each picture, computed once.  (N, 3, H, W) -> (N, D)"""
    size, margin = clip.size, max(x.shape[-1] - clip.size, 0) // 2
    x = x[..., margin : margin + size, margin : margin + size]
    return cached(clip.name, clip.model, x, lambda: {"vec": clip.pictures(x)})["vec"]


def spread(v: Tensor) -> Tensor:
    """A vector made sqrt(D) long, so that the mean square of its numbers is 1, as that of noise is.  (N, D) -> same"""
    return F.normalize(v, dim=1) * v.shape[1] ** 0.5


def tell_spread(clip: Clip, pictures: Pictures) -> Tell:
    """`tell_pictures` with vectors that are spread out."""
    vec = spread(vectors(clip, pictures.x))
    return lambda i, rng: Cond(vec[i])


def words_clip() -> Clip:
    """The bundled CLIP that was trained on many words."""
    return load_clip("tiny, many words")


CAPTIONS = Text(
    "captions, as the bundled CLIP reads them",
    encode=lambda texts: load_clip().words(texts),
    tell=lambda pictures: tell_captions(load_clip(), pictures),
    said=lambda kind: [p for colour in ("", *COLOURS) for p in prompts(colour, kind)[:6]],
)
NAMES = Text(
    "names, as the bundled CLIP reads them",
    encode=lambda texts: load_clip().words(texts),
    tell=lambda pictures: tell_names(load_clip(), pictures),
    said=names,
)
WORDINGS = Text(
    "captions in many words, as a bundled CLIP that was trained on them reads them",
    encode=lambda texts: load_clip("tiny, many words").words([without_the(text) for text in texts]),
    tell=lambda pictures: tell_wordings(load_clip("tiny, many words"), pictures),
    said=lambda kind: [p for colour in ("", *COLOURS) for p in wordings(colour, kind, Scene(True, True, True))],
)
PICTURES = Text(
    "pictures, as OpenAI's ViT-B/32 sees them; prompts when sampling",
    encode=lambda texts: Cond(openais().texts(texts)),
    tell=lambda pictures: tell_pictures(openais(), pictures),
)
VECTORS = Text(
    "pictures, as the bundled CLIP of many words sees them, spread out; prompts when sampling",
    encode=lambda texts: Cond(spread(words_clip().texts(texts))),
    tell=lambda pictures: tell_spread(words_clip(), pictures),
)
MINILM = Text(
    "captions in many words, as MiniLM reads them",
    encode=lambda texts: load_encoder("minilm").words(texts),
    tell=lambda pictures: tell_own(load_encoder("minilm"), pictures),
    said=WORDINGS.said,
    notes=lambda prompt, texts: load_encoder("minilm").notes(prompt, texts),
)


def told_by_t5(length: int) -> Text:
    """Pictures' own captions, as T5 v1.1 base reads their first tokens."""

    def encoder():  # loaded when first used
        return load_encoder("t5", length, device())

    return Text(
        f"captions, as T5 v1.1 base reads their first {length} tokens",
        encode=lambda texts: encoder().words(texts),
        tell=lambda pictures: tell_own(encoder(), pictures),
        notes=lambda prompt, texts: encoder().notes(prompt, texts),
    )


T5 = {length: told_by_t5(length) for length in (64, 128, 256)}
TEXTS = {text.name: text for text in (CAPTIONS, WORDINGS, NAMES, PICTURES, VECTORS, MINILM, *T5.values())}


def openais() -> Clip:
    """OpenAI's ViT-B/32, on the graphics card where there is one."""
    return load_clip("ViT-B-32", "openai", device())
