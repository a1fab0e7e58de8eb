"""unCLIP (DALL-E 2, arXiv 2204.06125): a prior turns a text into a picture's vector, a decoder paints the vector."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..conditions import Cond
from ..data import FLOWERS, Pictures, flowers, held_out
from ..data.captions import caption, colours
from ..guidance import clipped
from ..networks.transformer import VectorTransformer
from ..predict import X0
from ..samplers import Step, ddim
from ..text.captioning import VECTORS, WORDINGS, spread, vectors, words_clip
from ..training.loop import Batch
from .cascade import first
from .diffusion import Diffusion
from .flowers import flowers_text


@dataclass(frozen=True)
class Decoder(Diffusion):
    """A diffusion system that is told pictures' own vectors; the pictures that CLIP never saw are kept from it too."""

    def batches(self, pictures: Pictures) -> Batch:
        """rng -> (x0, cond), as `train` wants them, of pictures that are not held out."""
        return super().batches(pictures.at(~held_out(pictures)))

    def condition(self, what: Tensor | list[str]) -> Cond:
        """What the network is told: vectors of pictures, (N, D), else as `Diffusion.condition`.

        A prompt's own vector takes the place of a picture's: that is unCLIP without its prior.
        """
        if isinstance(what, Tensor) and what.ndim == 2:
            return Cond(spread(what))
        return super().condition(what)


@dataclass(frozen=True)
class Prior(Diffusion):
    """A diffusion system whose x_0 is CLIP's vector of a picture, `spread` to the size of noise; told the text.

    Nothing else is new: the same q, the same loss, the same samplers and guidance. decoder: the bundled system that
    makes pictures of the vectors, with its own choices.
    """

    decoder: str = "flowers_pictures"

    @property
    def shape(self) -> tuple[int]:
        """(D,) of CLIP's vectors."""
        return (self.net["dim"],)

    def build(self) -> VectorTransformer:
        """A new, untrained network."""
        return VectorTransformer(**self.net)

    def batches(self, pictures: Pictures) -> Batch:
        """rng -> (vectors, texts): of pictures that are not held out and of their mirror images, a text for each."""
        kept = ~held_out(pictures)
        both = torch.stack([spread(vectors(words_clip(), x))[kept] for x in (pictures.x, pictures.x.flip(-1))], 1)
        tell = self.text.tell(pictures.at(kept))

        def batch(rng):
            i = torch.randint(len(both), (self.batch,), generator=rng)
            mirrored = torch.randint(1 + self.flip, (self.batch,), generator=rng)
            return both[i, mirrored], tell(i, rng)

        return batch

    def vectors(self, net: VectorTransformer, what: Tensor | list[str], **how) -> Tensor:
        """Vectors of pictures that the texts might belong to.  (N,) -> unit vectors (N, D)

        how: steps, scale, seed, rng, x_T as for `Diffusion.sample`, whose errors it raises.
        """
        *_, last = super().sample(net, what, **how)
        return F.normalize(last.x.float(), dim=1)

    def sample(
        self,
        net: VectorTransformer,
        what: Tensor | list[str],
        steps: int | None = None,
        scale: float | None = None,
        seed: int = 0,
        rng: torch.Generator | None = None,
        x_T: Tensor | None = None,
    ) -> Iterator[Step]:
        """Pictures, step by step: a vector for each text, guided by `scale`, and the decoder's picture of it.

        x_T: the noise that the pictures begin with, (N, 3, H, W). Raises like `Diffusion.sample`.
        """
        rng = torch.Generator().manual_seed(seed) if rng is None else rng
        vec = self.vectors(net, what, steps=steps, scale=scale, rng=rng)
        decoder, painter = first(self.decoder)
        yield from decoder.sample(painter.to(vec.device), vec, steps, rng=rng, x_T=x_T)

    def report(self, net: VectorTransformer, pictures: Pictures, out: Path) -> str:
        """How near texts and the prior's vectors for them are to the vectors of held-out pictures."""
        out_of_ten = held_out(pictures)
        x, y = pictures.x[out_of_ten], pictures.y[out_of_ten].tolist()
        said = [caption(colour, pictures.classes[k]) for colour, k in zip(colours(x), y, strict=True)]
        own, text = vectors(words_clip(), x), words_clip().texts(said)
        made = self.vectors(net, said).cpu()
        near, far = (f"{(v * own).sum(1).mean():.2f} and {(v.mean(0) - own.mean(0)).norm():.2f}" for v in (made, text))
        return f"cosine with {len(x)} held-out pictures and distance of the means: prior {near}, texts {far}"


def flowers_pictures() -> Decoder:
    """Photographs of five flowers at 32 px, told the photograph's own CLIP vector: unCLIP's decoder, in small."""
    of = flowers_text()
    return replace(
        Decoder(**{k: getattr(of, k) for k in of.__dataclass_fields__}),
        name="flowers_pictures",
        about="photographs of five flowers, from a picture's CLIP vector",
        net=dict(channels=3, widths=(48, 64, 80), blocks=1, attend=1, patch=2, cond_dim=128),
        text=VECTORS,
        scale=2.0,
        minutes=35,
    )


def prior() -> Prior:
    """From a text to the vector that CLIP would have of its picture, which `flowers_pictures` paints."""
    return Prior(
        "prior",
        "from a prompt to a picture's CLIP vector, and pictures through flowers_pictures",
        flowers,
        FLOWERS,
        32,
        dict(dim=128, cond_dim=128, width=128, layers=3, heads=4),
        predict=X0,
        margin=6,
        lr=1e-3,
        fall=1000,
        text=WORDINGS,
        limit=partial(clipped, limit=5.0),
        sampler=ddim,
        scale=2.0,
        minutes=8,
    )
