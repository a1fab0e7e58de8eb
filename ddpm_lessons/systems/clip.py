"""How the bundled CLIP is trained: photographs of flowers, and what people might write for them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..conditions import Cond
from ..data import FLOWERS, Pictures, cropped, flowers, held_out
from ..data.captions import COLOURS, caption, colours, prompts
from ..data.wordings import scenes, wordings
from ..samplers import Step
from ..text.captioning import interrupted
from ..text.clip import TINY, tiny_clip, tokenizer, zero_shot
from ..training.loop import Batch, Loss
from ..training.run import Run


@dataclass(frozen=True)
class ClipTraining:
    """How the bundled CLIP was trained: photographs of flowers and what people might write for them.

    A batch holds one picture of each colour and kind, or of each kind, or of each colour, so that no caption of another
    picture is right as well: the loss takes all but the own one for wrong. One process alone can train it: halves of a
    batch, compared each within itself, are another objective.

    many: captions in many words, half of them interrupted by words that say nothing of the picture, so that the model
    learns to read past what it does not know.
    """

    name: str = "clip"
    about: str = "CLIP: pictures and captions of five flowers"
    classes: tuple[str, ...] = FLOWERS
    size: int = TINY["vision_cfg"]["image_size"]
    margin: int = 6
    many: bool = False
    lr: float = 1e-3
    fall: float = 500
    decay: float = 0.995
    batch: None = None  # one picture of each caption
    minutes: float = 15
    parallel = False
    steps = scale = 0

    def pictures(self, folder: str | Path | None = None, size: int | None = None) -> Pictures:
        """The photographs.  Raises like `data.flowers`."""
        return flowers(self.size + self.margin if size is None else size, folder)

    def fitting(self, pictures: Pictures) -> "ClipTraining":
        """This system. Raises ValueError when the pictures show other things."""
        if pictures.classes != self.classes:
            raise ValueError(f"the data hold {', '.join(pictures.classes)}; clip wants {', '.join(self.classes)}")
        return self

    def build(self) -> nn.Module:
        """A new, untrained model."""
        return tiny_clip().model

    def run(self, seed: int = 0) -> Run:
        """A new training run; the seed fixes the first weights as well."""
        return Run(tiny_clip(seed).model, self.lr, self.decay, seed, self.fall)

    def batches(self, pictures: Pictures) -> Batch:
        """rng -> (x0, tokens as a Cond): pictures that are not held out, cropped and mirrored, with a caption each."""
        kept = ~held_out(pictures)
        x, y, found = pictures.x[kept], pictures.y[kept].tolist(), colours(pictures.x[kept])
        groups: list[dict[tuple, list[int]]] = [{}, {}, {}]
        for i, (k, colour) in enumerate(zip(y, found)):
            kind = pictures.classes[k]
            for group, key in zip(groups, ((colour, kind), ("", kind), (colour, "flower"))):
                group.setdefault(key, []).append(i)
        groups = [{key: places for key, places in g.items() if len(places) >= 8} for g in groups]
        if min(map(len, groups)) < 2:
            raise ValueError(
                f"{len(pictures.x)} pictures are too few: CLIP compares kinds and colours that have 8 pictures or more"
            )
        seen = scenes(x) if self.many else ()

        def batch(rng):
            group = groups[(0, 0, 1, 2)[int(torch.randint(4, (), generator=rng))]]
            i = torch.tensor([p[int(torch.randint(len(p), (), generator=rng))] for p in group.values()])
            x0 = cropped(x, i, self.size, True, rng)
            said = [wordings(*key, seen[k]) if self.many else prompts(*key) for key, k in zip(group, i.tolist())]
            said = [texts[int(torch.randint(len(texts), (), generator=rng))] for texts in said]
            if self.many:
                said = [interrupted(t, rng) if torch.rand((), generator=rng) < 0.5 else t for t in said]
            return x0, Cond(tokenizer()(said))

        return batch

    def loss(self, net: nn.Module, x0: Tensor, cond: Cond, rng: torch.Generator) -> Tensor:
        """CLIP's own (arXiv 2103.00020, figure 3): each picture picks its caption, each caption its picture.  (11.4)"""
        from open_clip import ClipLoss

        image, text, scale = net(x0, cond.vec)[:3]
        return ClipLoss()(image.float(), text.float(), scale.clamp(max=100))

    @property
    def losses(self) -> Sequence[Loss]:
        """The one loss."""
        return (self.loss,)

    def sample(self, net, what, steps=None, scale=None, seed=0, rng=None, x_T=None) -> Iterator[Step]:
        """Raises ValueError: CLIP makes no pictures."""
        raise ValueError(f"{self.name} compares pictures and texts and makes none; take another file")

    def decode(self, net: nn.Module, x: Tensor) -> Tensor:
        """The pictures themselves."""
        return x

    def notes(self, prompt: str) -> list[str]:
        """Raises ValueError: CLIP makes no pictures."""
        self.sample(None, [prompt])

    def report(self, net: nn.Module, pictures: Pictures, out: Path | None = None) -> str:
        """Zero-shot accuracy on the pictures that were held out."""
        clip = replace(tiny_clip(), model=net.cpu().eval())
        i = held_out(pictures)
        m = self.margin // 2
        x = pictures.x[i][:, :, m : m + self.size, m : m + self.size]
        kinds, colour = [f"a {k}" for k in pictures.classes], [caption(c, "flower") for c in COLOURS]
        right = zero_shot(clip, x, kinds) == pictures.y[i]
        same = zero_shot(clip, x, colour) == torch.tensor([COLOURS.index(c) for c in colours(x)])
        kind, colour = (f"{100 * v.double().mean():.0f} %" for v in (right, same))
        return f"{kind} of {len(x)} held-out pictures are nearest to their kind's name, {colour} to their colour's"


def clip_words() -> ClipTraining:
    """CLIP told in many words, as people write them; the reader of prompts for pictures of 128 px."""
    return ClipTraining(
        "clip_words", "CLIP: pictures of five flowers and captions in many words", many=True, minutes=20
    )
