"""Captions: the colour that is read off a picture's pixels, and what people write for it."""

import pytest
import torch

from ddpm_lessons.data import FLOWERS
from ddpm_lessons.data.captions import COLOURS, HUES, caption, colour_votes, colours, hsv, prompts
from ddpm_lessons.data.drawn import PALETTE, draw


def plain(rgb, size=8):
    """A picture of one colour."""
    return (2 * torch.tensor(rgb) - 1).view(1, 3, 1, 1).expand(1, 3, size, size)


@pytest.mark.parametrize(
    "rgb, hue, saturation, value",
    [((1.0, 0, 0), 0, 1, 1), ((0, 0.5, 0), 120, 1, 0.5), ((0.5, 0.5, 1), 240, 0.5, 1), ((0.3, 0.3, 0.3), 0, 0, 0.3)],
)
def test_hue_saturation_and_value(rgb, hue, saturation, value):
    import colorsys

    found = [float(v[0, 0, 0]) for v in hsv(plain(rgb))]
    assert found == pytest.approx([hue, saturation, value], abs=1e-4)
    assert found == pytest.approx([v * k for v, k in zip(colorsys.rgb_to_hsv(*rgb), (360, 1, 1))], abs=1e-4)


@pytest.mark.parametrize("name", COLOURS)
def test_the_palette_of_the_drawn_flowers_is_read_as_named(name):
    assert colours(plain(PALETTE[name])) == [name]
    assert colour_votes(plain(PALETTE[name])).sum() == pytest.approx(1)


@pytest.mark.parametrize("rgb", [(0.2, 0.5, 0.1), (0.4, 0.6, 0.9), (0.05, 0.05, 0.05), (0.35, 0.22, 0.1)])
def test_leaves_sky_shadow_and_earth_have_no_vote(rgb):
    assert colour_votes(plain(rgb)).sum() == 0


def test_the_middle_counts_more_than_the_edge():
    x = plain(PALETTE["red"], 16).clone()
    x[:, :, 4:12, 4:12] = plain(PALETTE["white"])  # a quarter of the pixels
    assert colours(x) == ["white"]


def test_most_drawn_flowers_have_the_colour_of_their_caption():
    x, captions = draw(torch.arange(300) % 5, 32, torch.Generator().manual_seed(0))
    right = [caption(c, FLOWERS[i % 5]) == said for i, (c, said) in enumerate(zip(colours(x), captions))]
    assert sum(right) / 300 > 0.85


def test_hues_do_not_overlap():
    covered = [h % 360 for low, high in HUES.values() for h in range(low, high)]
    assert len(covered) == len(set(covered))


def test_captions_are_english():
    assert caption("pink", "rose") == "a pink rose" and caption("orange", "tulip") == "an orange tulip"
    assert (
        caption("", "daisy") == "a daisy"
        and caption("", "eight") == "an eight"
        and caption("red", "iris") == "a red iris"
    )
    said = prompts("orange", "tulip")
    assert said[0] == "an orange tulip" and {"orange tulips", "a tulip that is orange"} <= set(said)
    assert all("  " not in p and "that is " not in p for p in prompts("", "rose")) and "roses" in prompts("", "rose")


@pytest.mark.parametrize("thing", ["an orange tulip", "a one", "a unicorn", "an hour", "an eight", "a rose"])
def test_the_article_follows_the_sound(thing):
    assert caption("", thing.split(" ", 1)[1]) == thing
