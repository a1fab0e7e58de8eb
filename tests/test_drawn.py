"""Drawn flowers: pictures in range, the same from the same seed, and captions that are true."""

import pytest
import torch

from ddpm_lessons.data import FLOWERS
from ddpm_lessons.data.drawn import COLOURS, PALETTE, draw, drawn
from ddpm_lessons.forward import check_pictures


def test_flowers_are_pictures_with_their_classes_in_turn(rng):
    p = drawn(12, 16, rng)
    assert p.x.shape == (12, 3, 16, 16) and p.x.abs().max() <= 1
    check_pictures(p.x)
    assert p.y.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert p.classes == FLOWERS and p.source == "12 drawn flowers"


def test_a_seed_draws_the_same_flowers_and_another_does_not():
    a, b, c = (drawn(5, 16, torch.Generator().manual_seed(k)).x for k in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_the_species_drawn_are_the_classes_of_the_photographs():
    assert tuple(COLOURS) == FLOWERS
    assert {c for choice in COLOURS.values() for c in choice} == set(PALETTE)


def test_captions_name_the_species_and_a_colour_it_has(rng):
    y = torch.arange(60) % 5
    _, captions = draw(y, 8, rng)
    for k, caption in zip(y.tolist(), captions, strict=True):
        article, colour, species = caption.split()
        assert species == FLOWERS[k] and colour in COLOURS[species]
        assert article == ("an" if colour == "orange" else "a")


@pytest.mark.parametrize("species", ["daisy", "rose", "tulip"])
def test_captions_name_the_colour_that_is_seen(species, rng):
    """Light scales a colour, so directions are compared: of the palette's, most pixels have the caption's."""
    x, captions = draw(torch.full((40,), FLOWERS.index(species)), 32, rng)
    names = [c for c in PALETTE if c in COLOURS[species]]
    palette = torch.nn.functional.normalize(torch.tensor([PALETTE[c] for c in names]), dim=1)
    right = 0
    for picture, caption in zip(x, captions):
        pixels = torch.nn.functional.normalize((picture[:, 4:-4, 4:-4].flatten(1).T + 1) / 2, dim=1)
        near = pixels @ palette.T > 0.9995
        right += names[near.sum(0).argmax()] == caption.split()[1]
    assert right >= 38  # a pale ground may look like a pale flower


def test_each_picture_is_another(rng):
    x = drawn(25, 16, rng).x.flatten(1)
    assert (torch.cdist(x, x) + 99 * torch.eye(25)).min() > 1


def test_the_species_can_be_told_apart(rng):
    """The nearest mean picture, learned on one half, names the other half far better than chance."""
    p = drawn(400, 16, rng)
    x = p.x.flatten(1)
    means = torch.stack([x[:200][p.y[:200] == k].mean(0) for k in range(5)])
    assert (torch.cdist(x[200:], means).argmin(1) == p.y[200:]).float().mean() > 0.4
