"""CLIP: prompts and pictures as unit vectors, how the tiny one is trained, and the way to OpenAI's."""

import dataclasses
import logging

import open_clip
import pytest
import torch

from ddpm_lessons import data
from ddpm_lessons.data import held_out
from ddpm_lessons.data.captions import colours, prompts
from ddpm_lessons.data.drawn import drawn
from ddpm_lessons.schedules import cosine
from ddpm_lessons.systems import Diffusion, open_weights
from ddpm_lessons.systems.clip import ClipTraining, clip_words
from ddpm_lessons.systems.registry import save_weights
from ddpm_lessons.text import Clip, Text, cache, load_clip, tiny_clip, zero_shot
from ddpm_lessons.text.captioning import (
    WORDINGS,
    interrupted,
    other_words,
    tell_captions,
    tell_names,
    tell_pictures,
    tell_wordings,
)
from ddpm_lessons.training import train
from ddpm_lessons.training.files import load_weights, save


@pytest.fixture(scope="module")
def clip():
    return tiny_clip()


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """No test reads or writes the cache in the home folder, nor the model that another test has loaded."""
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path / "cache")
    load_clip.cache_clear()
    yield
    load_clip.cache_clear()


def flowers(n=60, size=38):
    return drawn(n, size, torch.Generator().manual_seed(0))


def test_the_tiny_clip_is_an_open_clip_model(clip):
    assert isinstance(clip.model, open_clip.model.CLIP) and not clip.model.training
    again = tiny_clip().model.state_dict()
    assert all(torch.equal(v, again[k]) for k, v in clip.model.state_dict().items())
    assert not torch.equal(tiny_clip(1).model.text_projection, clip.model.text_projection)


def test_prompts_are_unit_vectors_and_case_and_spaces_do_not_matter(clip):
    v = clip.texts(["a pink rose", " A  Pink rose ", "a daisy"])
    assert v.shape == (3, 128) and torch.allclose(v.norm(dim=1), torch.ones(3))
    assert torch.allclose(v[0], v[1]) and not torch.allclose(v[0], v[2])


@pytest.mark.parametrize("prompts", [[], [""], ["a rose", "  "], "a rose", [None]])
def test_an_empty_prompt_is_said(prompts, clip):
    with pytest.raises(ValueError, match="prompts are a list of texts with a word in each"):
        clip.texts(prompts)


@pytest.mark.parametrize("prompt", ["rose " * 500, "Ein blauer Löwenzahn", "薔薇", "🌹", "!?", "xqzt" * 50])
def test_any_other_prompt_is_some_vector(prompt, clip):
    assert clip.texts([prompt]).norm() == pytest.approx(1, abs=1e-5)


def test_words_are_the_tokens_states_without_the_start(clip):
    """The vector is the projection of the last real token's state."""
    cond = clip.words(["a pink rose", "tulip"])
    assert cond.mask.sum(1).tolist() == [4, 2]  # the words and the end
    assert cond.seq.shape == (2, 23, 64) and (cond.seq[~cond.mask] == 0).all()
    last = torch.stack([cond.seq[0, 3], cond.seq[1, 1]])
    expected = torch.nn.functional.normalize(last @ clip.model.text_projection, dim=1)
    torch.testing.assert_close(cond.vec, expected)
    assert torch.allclose(cond.vec, clip.texts(["a pink rose", "tulip"]))


def test_pictures_of_any_size_become_unit_vectors(clip):
    x = flowers(3, 64).x
    v = clip.pictures(x)
    assert v.shape == (3, 128) and torch.allclose(v.norm(dim=1), torch.ones(3))
    assert clip.prepared(x).shape == (3, 3, 32, 32)
    own = Clip("own", clip.model, clip.tokenize, 64, mean=(0.25, 0.5, 0.5), std=(0.25, 1.0, 0.5))
    white = own.prepared(torch.ones(1, 3, 64, 64))[0, :, 0, 0]
    assert white.tolist() == pytest.approx([3.0, 0.5, 1.0])


def test_unknown_words_and_a_cut_prompt_are_said(clip):
    told = ["a pink rose", "roses"]
    assert clip.notes("A pink, PINK rose!", told) == []
    assert clip.notes("A blue, BLUE rose!", told) == ["no training text had the word blue"]
    assert clip.notes("une rose bleue", told) == ["no training text had the words une, bleue"]
    assert clip.notes("rose " * 22, told) == []
    assert clip.notes("rose " * 23, told) == ["only the first 22 pieces of words are read"]
    assert clip.notes("🌹", told) == []


# training


def test_a_batch_has_one_picture_of_each_caption_and_none_that_is_held_out():
    recipe, p = ClipTraining(), flowers(400)
    out = held_out(p)
    assert 0.05 < out.double().mean() < 0.15 and torch.equal(out, held_out(p))
    p.x[out] = -1.0  # black
    batch, sizes = recipe.batches(p), set()
    for seed in range(20):
        x0, cond = batch(torch.Generator().manual_seed(seed))
        assert x0.shape[1:] == (3, 32, 32) and cond.vec.shape == (len(x0), 24)
        assert (x0.amax((1, 2, 3)) > -1).all() and len(cond.vec.unique(dim=0)) == len(x0)
        sizes.add(len(x0))
    assert 5 in sizes and max(sizes) > 8  # kinds alone; colours with kinds
    again = batch(torch.Generator().manual_seed(19))
    assert torch.equal(again[0], x0) and torch.equal(again[1].vec, cond.vec)


def test_many_words_are_told_of_the_same_pictures():
    recipe, p = clip_words(), flowers(200)
    batch, few = recipe.batches(p), ClipTraining().batches(p)
    (x0, cond), (same, other) = (b(torch.Generator().manual_seed(2)) for b in (batch, few))
    assert recipe.name == "clip_words" and torch.equal(x0, same) and not torch.equal(cond.vec, other.vec)
    words = (cond.vec > 0).sum(1).double().mean() - (other.vec > 0).sum(1).double().mean()
    assert words > 0.5  # interrupted half of the time


def test_the_loss_is_the_papers():
    """Cross-entropy over rows and over columns of the similarities, times a learned scale."""
    recipe, net = ClipTraining(), tiny_clip().model
    x0, cond = recipe.batches(flowers(200))(torch.Generator().manual_seed(2))
    image, words = net.encode_image(x0, normalize=True), net.encode_text(cond.vec, normalize=True)
    score, right = net.logit_scale.exp() * image @ words.T, torch.arange(len(x0))
    expected = sum(torch.nn.functional.cross_entropy(s, right) for s in (score, score.T)) / 2
    torch.testing.assert_close(recipe.loss(net, x0, cond, None), expected)


def test_a_few_steps_bring_captions_and_pictures_together():
    recipe, p = ClipTraining(decay=0.5), flowers(200)
    run, batch = recipe.run(), recipe.batches(p)
    first = batch(torch.Generator().manual_seed(2))
    before = recipe.loss(run.net, *first, None).item()
    for _ in train(run, batch, recipe.loss, 40):
        pass
    assert recipe.loss(run.net.eval(), *first, None).item() < before - 0.3
    assert " held-out pictures are nearest to their kind's name, " in recipe.report(run.ema.module, p)


def test_zero_shot_is_the_nearest_prompt(clip):
    x = flowers(6).x
    near = zero_shot(clip, x, ["a rose", "a daisy", "a tulip"])
    score = clip.pictures(x) @ clip.texts(["a rose", "a daisy", "a tulip"]).T
    assert near.tolist() == score.argmax(1).tolist()


# what a network is told


def test_a_picture_is_told_by_texts_that_fit_it(clip):
    """Half of them name its colour."""
    p = flowers(40)
    tell, rng = tell_captions(clip, p), torch.Generator().manual_seed(0)
    places = torch.tensor([7] * 200)
    cond = tell(places, rng)
    colour, kind = colours(p.x[7:8])[0], p.classes[p.y[7]]
    fit = clip.texts(prompts(colour, kind) + prompts("", kind))
    nearest = (cond.vec @ fit.T).max(1).values
    assert torch.allclose(nearest, torch.ones(200), atol=1e-5) and len(cond.vec.unique(dim=0)) == 12
    named = (cond.vec @ clip.texts(prompts(colour, kind)).T).max(1).values > 1 - 1e-5
    assert 0.35 < named.double().mean() < 0.65
    assert cond.seq.shape == (200, 23, 64) and cond.mask.any(1).all()


def test_other_words_stand_around_a_text_and_leave_its_own_in_order():
    rng, ours = torch.Generator().manual_seed(0), "a snow-white rose"
    for _ in range(50):
        found = interrupted(ours, rng).split()
        assert [w for w in found if w in ours.split()] == ours.split() and 4 <= len(found) <= 7
        assert set(found) - set(ours.split()) <= set(other_words())
    assert len(other_words()) > 20_000 and not {"rose", "crimson", "sky", "daisies", "white"} & set(other_words())


def test_a_picture_is_told_in_many_words_half_of_them_interrupted(clip):
    p, rng = flowers(40, 38), torch.Generator().manual_seed(0)
    tell = tell_wordings(clip, p)
    one = torch.full((400,), 3)
    told, kind = tell(one, rng), p.classes[int(p.y[3])]
    known = clip.texts(WORDINGS.said(kind))
    far = torch.cdist(told.vec, known, compute_mode="donot_use_mm_for_euclid_dist")
    plain = (far.amin(1) < 1e-4).double().mean()
    assert 0.4 < plain < 0.6 and len(told.vec.unique(dim=0)) > 20


def test_a_picture_is_told_what_it_is(clip):
    p = data.Pictures(torch.zeros(2, 1, 8, 8), torch.tensor([1, 0]), ("five", "six"), "")
    cond = tell_names(clip, p)(torch.tensor([0] * 99), torch.Generator().manual_seed(0))
    expected = clip.texts(["a six", "six", "draw a six", "a picture of a six"])
    assert ((cond.vec[:, None] - expected).norm(dim=-1).min(0).values < 1e-5).all()
    assert ((cond.vec[:, None] - expected).norm(dim=-1).min(1).values < 1e-5).all()


def test_a_picture_is_told_by_its_own_vector(clip):
    p = flowers(6, 38)
    cond = tell_pictures(clip, p)(torch.tensor([4, 1]), torch.Generator())
    assert torch.allclose(cond.vec, clip.pictures(p.x[[4, 1], :, 3:35, 3:35]), atol=1e-5) and cond.seq is None


def test_a_recipe_trains_on_texts_and_samples_from_prompts(clip):
    net = dict(channels=3, widths=(8, 16), attend=1, patch=2, cond_dim=128, token_dim=64)
    load = lambda size, folder: flowers(20, size)  # noqa: E731
    recipe = Diffusion("told", "", load, data.FLOWERS, 16, net, cosine(20), batch=4, steps=2)
    recipe = dataclasses.replace(recipe, text=Text("captions", clip.words, lambda p: tell_captions(clip, p)))
    run = recipe.run()
    assert len(list(train(run, recipe.batches(recipe.pictures()), recipe.loss, 3))) == 3
    torch.nn.init.normal_(run.net.last[2].weight)
    *_, said = recipe.sample(run.net, ["a rose", "a daisy"])
    *_, label = recipe.sample(run.net, torch.tensor([2, 0]))
    assert said.x.shape == (2, 3, 16, 16) and torch.equal(said.x, label.x)
    with pytest.raises(ValueError, match="prompts are a list of texts"):
        recipe.sample(run.net, [" "])
    with pytest.raises(ValueError, match=r"labels should lie in 0\.\.4"):
        recipe.sample(run.net, torch.tensor([5]))
    with pytest.raises(ValueError, match="told knows no prompts, only the classes daisy, dandelion"):
        dataclasses.replace(recipe, text=None).sample(run.net, ["a rose"])


# embeddings are computed once


def test_embeddings_are_kept_and_checked(clip, monkeypatch):
    x, calls = flowers(4, 32).x, []

    def seen():
        calls.append(1)
        return {"vec": clip.pictures(x)}

    def said(of, by=clip, compute=seen):
        return cache.cached("tiny", by.model, of, compute)["vec"]

    def kept():
        return list((cache.cache_folder() / "embeddings").glob("*.safetensors"))

    first = said(x)
    (file,) = kept()
    assert file.name.startswith("tiny ") and torch.equal(said(x), first) and len(calls) == 1
    file.write_bytes(file.read_bytes()[:-20])  # cut short
    assert torch.equal(said(x), first) and len(calls) == 2
    other = tiny_clip(1)  # trained again: same name, same data, other weights
    assert not torch.equal(said(x, other, lambda: {"vec": other.pictures(x)}), first)
    assert [file] == kept()  # replaced, not heaped up
    said(x), said(x.flip(0)), said(["a rose"])
    assert len(calls) == 5 and len(kept()) == 3

    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(cache, "save", full)
    assert torch.equal(said(x, other), first) and len(calls) == 6


def test_a_fingerprint_tells_all_contents_apart():
    ones = torch.ones(2, 3)
    contents = [ones, ones.T, ones + 1e-6, ones.double(), ["a", "b"], ["ab"], ["b", "a"]]
    assert len({cache.fingerprint(c) for c in contents}) == len(contents)
    assert cache.fingerprint(ones) == cache.fingerprint(ones.clone())


# other models


def test_openais_is_loaded_by_the_same_lines(monkeypatch):
    """Its weights are not to be had in a test: a small model of the same class stands in."""
    asked = []

    def create(name, pretrained, force_quick_gelu):
        asked.append((name, pretrained, force_quick_gelu))
        model = tiny_clip().model
        model.visual.preprocess_cfg = {"size": (32, 32), "mean": (0.48, 0.46, 0.41), "std": (0.27, 0.26, 0.28)}
        return model

    monkeypatch.setattr(open_clip, "create_model", create)
    clip = load_clip("ViT-B-32", "openai")
    assert (
        asked == [("ViT-B-32", "openai", True)] and clip.name == "ViT-B-32 openai" and clip.mean == (0.48, 0.46, 0.41)
    )
    assert clip.pictures(flowers(2).x).shape == (2, 128)


def test_what_cannot_be_loaded_is_one_line(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="open_clip knows no model 'ViT-X'"):
        load_clip("ViT-X")
    with pytest.raises(ValueError, match="ViT-B-32 has no weights 'mine'; there are openai, "):
        load_clip("ViT-B-32", "mine")

    def down(*args, **kw):
        raise RuntimeError("Failed to download\nand more")

    monkeypatch.setattr(open_clip, "create_model", down)
    with pytest.raises(ConnectionError, match=r"ViT-B-32 cannot be downloaded \(Failed to download\)"):
        load_clip("ViT-B-32", "openai")
    monkeypatch.setattr("ddpm_lessons.text.clip.bundled", lambda name: tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no weights at .*clip.safetensors"):
        load_clip()
    save(tmp_path / "clip.safetensors", {k: v.half() for k, v in tiny_clip(3).model.state_dict().items()}, {})
    assert torch.allclose(load_clip().model.text_projection, tiny_clip(3).model.text_projection, atol=1e-3)
    assert load_clip().name == "tiny"


def test_a_level_of_logging_that_the_user_set_stays(monkeypatch):
    monkeypatch.setattr(open_clip, "create_model", lambda *a, **kw: (_ for _ in ()).throw(OSError("no host")))
    logging.disable(logging.WARNING)
    try:
        with pytest.raises(ConnectionError):
            load_clip("ViT-B-32", "openai")
        assert logging.root.manager.disable == logging.WARNING
    finally:
        logging.disable(logging.NOTSET)


def test_pieces_of_words_that_no_caption_has_are_not_stored(tmp_path):
    """They come back as a new model has them, the others as training left them; all in half precision."""
    of, net = ClipTraining(), tiny_clip().model
    table = net.token_embedding.weight
    with torch.no_grad():
        table[[5, 40_000]] += 1
    save_weights(tmp_path / "c.safetensors", of, net, 1)
    assert (tmp_path / "c.safetensors").stat().st_size < 2.5e6
    again = open_weights(tmp_path / "c.safetensors")[1].token_embedding.weight
    torch.testing.assert_close(again, table, rtol=1e-3, atol=1e-3)
    untouched = torch.ones(len(table), dtype=torch.bool)
    untouched[[5, 40_000]] = False
    assert torch.equal(again[untouched], table[untouched].half().float())


def test_rows_of_another_table_are_refused(tmp_path):
    tensors = {"weight.rows": torch.tensor([0, 9]), "weight.changed": torch.zeros(2, 3)}
    with pytest.raises(ValueError, match="w holds the weights of another net"):
        load_weights(torch.nn.Embedding(4, 3), tensors, "w")
