"""Five flowers drawn by formulas from a seed: a data set that needs no download and is captioned exactly."""

import math

import torch
from torch import Tensor

from .captions import caption
from .files import Pictures

PALETTE = {
    "white": (0.97, 0.96, 0.92),
    "yellow": (0.98, 0.83, 0.12),
    "orange": (0.95, 0.52, 0.10),
    "red": (0.82, 0.10, 0.14),
    "pink": (0.95, 0.55, 0.70),
    "purple": (0.55, 0.25, 0.68),
}
COLOURS = {  # those in which each species is drawn
    "daisy": ("white", "yellow", "pink", "purple"),
    "dandelion": ("yellow", "white"),
    "rose": ("red", "pink", "white", "yellow", "orange", "purple"),
    "sunflower": ("yellow", "orange"),
    "tulip": ("red", "pink", "yellow", "white", "orange", "purple"),
}
GROUNDS = ((0.16, 0.30, 0.12), (0.30, 0.44, 0.20), (0.10, 0.14, 0.10), (0.55, 0.70, 0.85), (0.35, 0.28, 0.18))


def drawn(n: int, size: int, rng: torch.Generator | None = None) -> Pictures:
    """n drawn flowers -> Pictures, x: (n, 3, size, size); classes in turn, colour, pose and ground at random."""
    species = tuple(COLOURS)
    y = torch.arange(n) % len(species)
    x, _ = draw(y, size, rng)
    return Pictures(x, y, species, f"{n} drawn flowers")


def draw(y: Tensor, size: int, rng: torch.Generator | None = None) -> tuple[Tensor, list[str]]:
    """Flowers of the given species, labels (n,) -> pictures (n, 3, size, size) in [-1, 1], captions "a red rose"."""
    species = list(COLOURS)
    names = []
    for k in y.tolist():
        choice = COLOURS[species[k]]
        names.append(choice[int(torch.randint(len(choice), (), generator=rng))])
    colour = torch.tensor([PALETTE[c] for c in names])

    def u(low, high):  # one uniform number a picture, (n, 1, 1)
        return low + (high - low) * torch.rand(len(y), 1, 1, generator=rng)

    line = (torch.arange(2 * size) + 0.5) / size - 1  # drawn at twice the size, then averaged: smooth edges
    v, h = torch.meshgrid(line, line, indexing="ij")
    h, v = (h - u(-0.15, 0.15)) / u(0.75, 0.95), (v - u(-0.15, 0.15)) / u(0.75, 0.95)
    turn, r = u(0, 2 * math.pi), (h**2 + v**2).sqrt()
    angle = torch.atan2(v, h) + turn
    shade = u(0.8, 1.1)
    paint = Painter(ground(len(y), 2 * size, rng), colour, h, v, r, angle, shade, u)
    pictures = torch.zeros(len(y), 3, 2 * size, 2 * size)
    for k, name in enumerate(species):
        mine = y == k
        if mine.any():
            pictures[mine] = getattr(paint, name)()[mine]
    x = torch.nn.functional.avg_pool2d(pictures.clamp(0, 1), 2) * 2 - 1
    return x, [caption(c, species[k]) for c, k in zip(names, y.tolist())]


def ground(n: int, size: int, rng: torch.Generator | None) -> Tensor:
    """Blurred backgrounds: coarse noise around a colour, (n, 3, size, size)."""
    base = torch.tensor(GROUNDS)[torch.randint(len(GROUNDS), (n,), generator=rng)][:, :, None, None]
    coarse = torch.randn(n, 1, 5, 5, generator=rng) * 0.10
    rough = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False)
    return base + rough * torch.tensor([1.0, 1.2, 0.8])[:, None, None]


class Painter:
    """Lays each species over the ground. All fields are (n, H, W) or broadcast to it; colours are (n, 3)."""

    def __init__(self, ground, colour, h, v, r, angle, shade, u):
        self.ground, self.colour, self.h, self.v, self.r, self.angle = ground, colour, h, v, r, angle
        self.shade, self.u, self.soft = shade, u, 3.0 / ground.shape[-1]

    def over(self, below: Tensor, inside: Tensor, rgb: Tensor, light: Tensor | float = 1.0) -> Tensor:
        """Paint rgb (n, 3) or (3,), lit by `light`, where `inside` > 0."""
        mask = (inside / self.soft + 0.5).clamp(0, 1)[:, None]
        rgb = rgb.view(-1, 3, 1, 1) * (light[:, None] if isinstance(light, Tensor) else light)
        return below * (1 - mask) + rgb * mask

    def petals(self, n, length, width) -> tuple[Tensor, Tensor]:
        """How far inside a ring of n petals each pixel lies, and the light on it: brighter along a petal's middle."""
        wave = (self.angle * n / 2).cos().abs()
        return length * wave**width - self.r, self.shade * (0.72 + 0.28 * wave)

    def daisy(self):
        n = self.u(8, 12).round()
        out = self.over(self.ground, *self.args(self.petals(n, 0.85, 0.35)))
        return self.over(out, 0.24 - self.r, torch.tensor([0.95, 0.72, 0.10]), self.shade * (1.1 - self.r))

    def dandelion(self):
        out = self.ground
        for i in range(3):  # three rings of thin rays, each shorter and brighter
            inside, light = self.petals(self.u(19, 23).round() + 2 * i, 0.8 - 0.22 * i, 0.5)
            out = self.over(out, inside, self.colour, light * (0.85 + 0.1 * i))
        return out

    def rose(self):
        edge = 0.68 + 0.07 * (self.angle * 5).cos()
        spiral = (self.r * 14 - self.angle + 0.8 * (self.angle * 3).sin()).sin()
        light = self.shade * (0.55 + 0.45 * self.r / 0.7 + 0.22 * spiral)
        return self.over(self.ground, edge - self.r, self.colour, light)

    def sunflower(self):
        out = self.over(self.ground, *self.args(self.petals(self.u(17, 21).round(), 0.95, 0.6)))
        seeds = (self.r * 40).sin() * (self.angle * 13 + self.r * 9).sin()
        brown = torch.tensor([0.33, 0.18, 0.07])
        return self.over(out, 0.46 - self.r, brown, self.shade * (0.8 + 0.3 * seeds + 0.5 * self.r))

    def tulip(self):
        h, v = self.h, self.v + 0.15
        stem = torch.minimum(0.05 - (h + 0.08 * v).abs(), v - 0.2)
        out = self.over(self.ground, stem, torch.tensor([0.25, 0.50, 0.18]))
        leaf = torch.minimum(0.16 - (h - 0.9 * (v - 0.9) * -0.35 - 0.18).abs() * 1.2 - 0.1 * v, v - 0.45)
        out = self.over(out, leaf, torch.tensor([0.22, 0.45, 0.16]))
        width = 0.46 * (1 - ((v - 0.0) / 0.62) ** 2).clamp(min=0) ** 0.5 * (1 + 0.15 * v)
        teeth = -0.5 + 0.2 * (h * 9.5).cos().abs()  # three points along the top of the cup
        cup = torch.minimum(width - h.abs(), v + 0.35 - teeth - 0.5)
        light = self.shade * (0.75 + 0.25 * (h * 9.5).cos().abs() - 0.25 * v.clamp(min=0))
        return self.over(out, cup, self.colour, light)

    def args(self, petals):
        """(inside, colour, light) as `over` takes them."""
        return petals[0], self.colour, petals[1]
