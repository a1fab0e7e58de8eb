"""unCLIP: the prior's transformer, the prior and its decoder as systems, and the bundled weights."""

import pytest
import torch
import torch.nn.functional as F
from processes import squares

from ddpm_lessons import data
from ddpm_lessons.conditions import Cond
from ddpm_lessons.data import Pictures, held_out
from ddpm_lessons.losses import diffusion_loss
from ddpm_lessons.networks.transformer import VectorTransformer
from ddpm_lessons.networks.unet import parameters
from ddpm_lessons.predict import X0
from ddpm_lessons.systems import open_weights, prior, registry, save_weights, system
from ddpm_lessons.text import Text
from ddpm_lessons.text.captioning import VECTORS, spread, vectors, words_clip
from ddpm_lessons.training import train
from ddpm_lessons.training.files import load

SMALL = dict(dim=8, cond_dim=4, width=16, layers=1, heads=2)
SIDES = F.normalize(torch.tensor([[3.0, 1, 0, 0, 1, 0, 0, 0], [-1.0, 2, 0, 1, 0, 0, 0, 1]]), dim=1)  # of two classes
LABELS = Text(
    "labels",
    lambda texts: Cond(torch.tensor([[float(t == f"a {c}") for c in (*CLASSES, "", "-")] for t in texts])),
    None,
)
CLASSES = ("black", "white")


@pytest.fixture
def small(monkeypatch):
    """A prior for two vectors, trained for a moment."""
    made = prior.replace(prior.prior(), net=SMALL, text=LABELS, classes=CLASSES, batch=32)
    run = made.run(0)

    def batch(rng):
        y = torch.randint(2, (32,), generator=rng)
        near = SIDES[y] + 0.05 * torch.randn(32, 8, generator=rng)
        return spread(near), Cond(F.one_hot(y, 4).float())

    for _ in train(run, batch, made.losses, 500):
        pass
    return made, run.net.eval()


@pytest.fixture
def painted(monkeypatch):
    """A decoder whose pictures are tiny."""
    decoder = prior.replace(
        system("flowers_pictures"),
        net=dict(channels=3, widths=(8,), cond_dim=8),
        size=8,
        steps=3,
        classes=("black", "white"),
    )
    net = decoder.build()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for p in net.parameters():
            torch.nn.init.normal_(p, std=0.2)
    monkeypatch.setattr(prior, "first", lambda name: (decoder, net))
    return decoder, net


# the transformer


def test_it_answers_vectors_and_nothing_is_the_null_condition():
    torch.manual_seed(0)
    net = VectorTransformer(**SMALL).eval()
    x, t, told = torch.randn(5, 8), torch.tensor([1, 5, 9, 500, 1000]), Cond(torch.randn(5, 4))
    assert net(x, t, told).shape == (5, 8)
    torch.testing.assert_close(net(x, t), net(x, t, told.null()))
    assert not torch.allclose(net(x, t), net(x, t, told))
    assert not torch.allclose(net(x, t, told), net(x, t + 1, told))
    torch.testing.assert_close(net(x, t, told)[2:3], net(x[2:3], t[2:3], told.each(lambda v: v[2:3])))


@pytest.mark.parametrize(
    "x, cond, said",
    [
        ((5, 7), (5, 4), r"takes vectors \(B, 8\), got \(5, 7\)"),
        ((5, 8, 1), (5, 4), r"takes vectors"),
        ((5, 8), (5, 3), r"takes conditions \(5, 4\), got \(5, 3\)"),
        ((5, 8), (4, 4), r"takes conditions \(5, 4\), got \(4, 4\)"),
    ],
)
def test_it_says_what_it_takes(x, cond, said):
    with pytest.raises(ValueError, match=said):
        VectorTransformer(**SMALL)(torch.zeros(x), torch.ones(5, dtype=torch.long), Cond(torch.zeros(cond)))


def test_the_systems_are_as_small_as_they_say():
    with torch.device("meta"):
        assert parameters(system("prior").build()) < 0.7e6 and parameters(system("flowers_pictures").build()) < 1.95e6


# the prior


def test_the_loss_is_the_one_of_all_lessons():
    made = prior.replace(prior.prior(), net=SMALL, drop=0.0)
    net, z0, told = made.build(), torch.randn(6, 8), Cond(torch.randn(6, 4))
    seeded = lambda: torch.Generator().manual_seed(3)  # noqa: E731
    rng = seeded()
    told.drop(0.0, rng)
    wanted = diffusion_loss(net, made.schedule, X0, z0, told, rng=rng)
    torch.testing.assert_close(made.loss(net, z0, told, seeded()), wanted)
    assert made.predict is X0 and made.weight is None and system("prior").drop == 0.1


def test_it_learns_which_vector_belongs_to_which_text(small):
    made, net = small
    v = made.vectors(net, ["a black"] * 6 + ["a white"] * 6, scale=2.0)
    torch.testing.assert_close(v.norm(dim=1), torch.ones(12))
    cosines = v @ SIDES.T
    assert (cosines[:6, 0] > 0.9).all() and (cosines[6:, 1] > 0.9).all()
    torch.testing.assert_close(made.vectors(net, torch.tensor([0] * 6 + [1] * 6), scale=2.0), v)
    assert not torch.equal(made.vectors(net, ["a black"] * 6, seed=1), made.vectors(net, ["a black"] * 6, seed=2))


def test_its_pictures_are_the_decoders(small, painted):
    (made, net), (decoder, painter) = small, painted
    steps = list(made.sample(net, ["a black", "a white"], 4, seed=5))
    assert len(steps) == 4 and steps[-1].x.shape == (2, 3, 8, 8) and steps[-1].t == 0
    assert torch.equal(steps[-1].x, list(made.sample(net, ["a black", "a white"], 4, seed=5))[-1].x)
    rng = torch.Generator().manual_seed(5)
    v = made.vectors(net, ["a black", "a white"], steps=4, rng=rng)
    *_, last = decoder.sample(painter, v, 4, rng=rng)
    assert torch.equal(last.x, steps[-1].x)
    assert torch.equal(made.decode(net, last.x), last.x)
    with pytest.raises(ValueError, match="x_T"):
        list(made.sample(net, ["a black"], x_T=torch.zeros(1, 8)))


# the decoder


def test_the_decoder_takes_vectors_prompts_and_classes():
    decoder, v = system("flowers_pictures"), torch.randn(3, 128)
    torch.testing.assert_close(decoder.condition(v).vec, F.normalize(v, dim=1) * 128**0.5)
    text = words_clip().texts(["a rose", "a tulip"])
    torch.testing.assert_close(decoder.condition(["a rose", "a tulip"]).vec, spread(text))
    torch.testing.assert_close(decoder.condition(torch.tensor([2, 4])).vec, spread(text))


def test_neither_learns_from_pictures_that_were_held_out(monkeypatch):
    """Held-out pictures are white here, and no batch has one; the vectors belong to the pictures."""
    n = 60
    x = torch.zeros(n, 3, 40, 40)
    pictures = Pictures(x, torch.arange(n) % 5, data.FLOWERS, "grey")
    out = held_out(pictures)
    assert 0 < out.sum() < n
    shade = torch.linspace(-0.9, 0.9, n)
    shade[out] = 1.0
    x += shade.view(-1, 1, 1, 1)
    fake = lambda clip, x: F.normalize(torch.stack([x.mean((1, 2, 3)), torch.ones(len(x))], 1), dim=1)  # noqa: E731
    monkeypatch.setattr(prior, "vectors", fake)
    monkeypatch.setattr("ddpm_lessons.text.captioning.vectors", fake)
    rng = torch.Generator().manual_seed(0)
    decoder = prior.replace(system("flowers_pictures"), batch=200)
    x0, cond = decoder.batches(pictures)(rng)
    assert x0.shape == (200, 3, 32, 32) and x0.max() < 0.95
    torch.testing.assert_close(cond.vec, spread(fake(None, x0)))
    made = prior.replace(system("prior"), text=prior.replace(LABELS, tell=lambda p: lambda i, rng: Cond(p.y[i, None])))
    z0, told = made.batches(pictures)(rng)
    assert z0.shape == (64, 2) and (z0 - spread(fake(None, torch.ones(1, 3, 1, 1)))).norm(dim=1).min() > 1e-3
    known = {round(float(s), 4): int(k) for s, k in zip(shade, pictures.y)}
    assert all(known[round(float(z[0] / z[1]), 4)] == int(k) for z, k in zip(z0, told.vec))


def test_files_remember_both(tmp_path):
    for name in ("prior", "flowers_pictures"):
        made = system(name)
        save_weights(tmp_path / f"{name}.safetensors", made, made.build(), 3)
        found, net = open_weights(tmp_path / f"{name}.safetensors")
        assert registry.card(found) == registry.card(made) and type(found) is type(made)
        assert parameters(net) == parameters(made.build())


def test_the_report_compares_it_with_the_texts(small, monkeypatch, tmp_path):
    made, net = small
    pictures = squares(10)
    pictures = pictures._replace(x=pictures.x.repeat(3, 1, 1, 1), y=pictures.y.repeat(3))
    own = SIDES[pictures.y[held_out(pictures)]]
    monkeypatch.setattr(prior, "vectors", lambda clip, x: own)
    monkeypatch.setattr(prior, "colours", lambda x: [""] * len(x))
    told = prior.replace(words_clip(), model=None)
    monkeypatch.setattr(type(told), "texts", lambda self, prompts: -own)
    said = made.report(net, pictures, tmp_path)
    assert said.startswith(f"cosine with {len(own)} held-out pictures") and "texts -1.00 and" in said
    assert float(said.split("prior ")[1].split(" ")[0]) > 0.8


# what is bundled


def test_the_bundled_prior_closes_the_gap():
    """Held-out photographs' captions: its vectors lie on the pictures' side, the texts' own do not."""
    tensors, info = load(data.bundled("prior_vectors.safetensors"))
    out = tensors["held_out"]
    own = F.normalize(tensors["vec"][out].float(), dim=1)
    texts = [info["captions"][k] for k in tensors["caption"][out].tolist()]
    made, net = open_weights(data.bundled("prior.safetensors"))
    v, text = made.vectors(net, texts, scale=1.0), words_clip().texts(texts)
    apart = lambda a: (a.mean(0) - own.mean(0)).norm()  # noqa: E731
    assert apart(v) < 0.15 < 0.3 < apart(text)
    assert (v * own).sum(1).mean() > (text * own).sum(1).mean() + 0.05
    assert 0.85 < v.var(0).sum().sqrt() / own.var(0).sum().sqrt() < 1.1  # no collapse to the mean


def test_the_bundled_vectors_are_clips(monkeypatch):
    """A drawn picture's vector is what the tiny CLIP of many words says of its middle."""
    x = data.drawn(2, 38, torch.Generator().manual_seed(0)).x
    torch.testing.assert_close(vectors(words_clip(), x), words_clip().pictures(x[..., 3:35, 3:35]))
    assert VECTORS.encode(["a rose"]).vec.norm() == pytest.approx(128**0.5)
