"""Captions: the colour that is read off a picture's pixels, and what people write for it."""

import importlib
from pathlib import Path

import pytest
import torch

from ddpm_lessons.data import FLOWERS
from ddpm_lessons.data.captions import COLOURS, HUES, caption, colour_votes, colours, hsv, prompts
from ddpm_lessons.data.drawn import PALETTE, draw
from ddpm_lessons.data.wordings import Scene, blobs, scenes, wordings
from ddpm_lessons.text.captioning import WORDINGS, without_the


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


# many words


def flower(colour, many=False, sky=False):
    """A picture of 36 px: one blob of a colour, or nine, over green or under a blue sky."""
    x = plain((0.2, 0.45, 0.15), 36).clone()
    if sky:
        x[:, :, :16] = plain((0.35, 0.55, 0.9), 36)[:, :, :16]
    for row, column in [(r, c) for r in (4, 16, 28) for c in (4, 16, 28)] if many else [(10, 10)]:
        side = 5 if many else 20
        x[:, :, row : row + side, column : column + side] = plain(PALETTE[colour], side)
    return x


def test_scenes_are_read_off_the_pixels():
    one, nine, high = scenes(torch.cat([flower("red"), flower("yellow", many=True), flower("white", sky=True)]))
    assert one == (False, True, False) and nine == (True, False, False) and high.sky and not high.many


def test_blobs_are_counted_with_their_corners_touching_and_small_ones_not():
    mask = torch.zeros(2, 10, 10, dtype=torch.bool)
    mask[0, :4, :4] = mask[0, 6:, 6:] = mask[0, 5, 0] = True
    mask[1, :3, :3] = mask[1, 3:6, 3:6] = True
    assert blobs(mask).tolist() == [2, 1]


def test_wordings_are_english_and_tell_what_is_seen():
    said = wordings("orange", "daisy", Scene(True, False, False))
    for text in ("an orange daisy", "bright orange daisies", "a field of tangerine daisies", "a daisy that is amber"):
        assert text in said
    assert not any("close-up" in p or "sky" in p or "{" in p or "  " in p or "daisys" in p for p in said)
    assert all(not p.startswith("a a") and " a o" not in p and " a a" not in p for p in said)
    assert wordings("", "rose") == [
        "a rose",
        "rose",
        "a photo of a rose",
        "draw a rose",
        "a rose in a garden",
        "a picture of a rose",
    ]


@pytest.mark.parametrize(
    "prompt, read",
    [
        ("the daisies in the grass", "daisies in grass"),
        ("The rose against the blue sky", "rose against the blue sky"),
        ("a rose under the sky", "a rose under the sky"),
        ("a tulip in the skyline, bathed", "a tulip in skyline, bathed"),
        ("the", "the"),
        ("the the ", "the the "),
    ],
)
def test_a_the_is_not_read_but_before_the_sky(prompt, read):
    assert without_the(prompt) == read


def test_nothing_that_was_said_in_training_is_read_differently():
    assert all(without_the(p) == p for kind in FLOWERS for p in WORDINGS.said(kind))


def test_the_thirty_prompts_are_in_other_words(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).with_name("benchmarks")))
    asked = importlib.import_module("prompts").PROMPTS
    known = {p for k in FLOWERS for c in ("", *COLOURS) for p in wordings(c, k, Scene(True, True, True))}
    assert len(asked) == 30 and not known & {p for p, _, _ in asked}
    assert all(kind in FLOWERS and colour in ("", *COLOURS) for _, kind, colour in asked)
    assert all(kind[:4] in prompt for prompt, kind, _ in asked) and sum(bool(c) for *_, c in asked) >= 15
