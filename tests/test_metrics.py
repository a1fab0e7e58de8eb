"""Distances between sets of pictures: their formulas, their floor, and what cannot be measured."""

import sys
import urllib.error
from types import SimpleNamespace

import pytest
import torch

from ddpm_lessons.data.drawn import drawn
from ddpm_lessons.evaluation import (
    Features,
    Yardstick,
    efficientnet,
    frechet,
    inception,
    inception_score,
    kernel,
    linear_classifier,
    perceptual,
    precision_recall,
)
from ddpm_lessons.evaluation.features import INCEPTION

MEANS = Features("means", lambda x: x.mean((2, 3)))


def normal(n, d, seed=0, std=1.0, mean=0.0):
    rng = torch.Generator().manual_seed(seed)
    return mean + std * torch.randn(n, d, dtype=torch.float64, generator=rng)


def exactly(n, d, std, mean):
    """Features with exactly this mean and the covariance diag(std^2)."""
    x = normal(n, d)
    x = x - x.mean(0)
    return x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (n - 1))).T * std + mean


@pytest.mark.parametrize("d", [1, 3, 8])
def test_frechet_of_two_normal_densities(d):
    """Axis-parallel: |m_a - m_b|^2 + sum (s_a - s_b)^2."""
    s_a, s_b = torch.linspace(0.5, 2, d).double(), torch.linspace(3, 1, d).double()
    m_a, m_b = torch.arange(d).double(), torch.ones(d).double()
    expected = (m_a - m_b).square().sum() + (s_a - s_b).square().sum()
    assert frechet(exactly(50, d, s_a, m_a), exactly(40, d, s_b, m_b)) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("n, m, d", [(40, 30, 6), (12, 30, 25), (10, 10, 40)])
def test_frechet_is_its_formula(n, m, d):
    """The trace of the root by its eigenvalues, which the function does not compute; N < D too."""
    a, b = normal(n, d, 0), normal(m, d, 1, std=1.5, mean=0.3)
    c_a, c_b = a.T.cov(), b.T.cov()
    root = torch.linalg.eigvals(c_a @ c_b).real.clamp(min=0).sqrt().sum()
    expected = (a.mean(0) - b.mean(0)).square().sum() + c_a.trace() + c_b.trace() - 2 * root
    assert frechet(a, b) == pytest.approx(float(expected), rel=1e-5)  # roots of zeros that are 1e-16 cost the digits
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-9)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)


def test_frechet_is_biased_upwards_the_more_the_fewer_pictures():
    few, more = (sum(frechet(normal(n, 8, s), normal(n, 8, s + 50)) for s in range(20)) / 20 for n in (20, 200))
    assert few > 5 * more > 0


def test_kernel_is_its_sum():
    a, b = normal(4, 3, 0), normal(5, 3, 1)
    k = lambda x, y: (float(x @ y) / 3 + 1) ** 3  # noqa: E731
    within = lambda x: sum(k(p, q) for i, p in enumerate(x) for j, q in enumerate(x) if i != j)  # noqa: E731
    expected = within(a) / 12 + within(b) / 20 - 2 * sum(k(p, q) for p in a for q in b) / 20
    assert kernel(a, b) == pytest.approx(expected, rel=1e-9)


def test_kernel_is_unbiased():
    """Two sets of one density: 0 on average, even with few pictures."""
    same = [kernel(normal(10, 4, s), normal(10, 4, s + 500)) for s in range(200)]
    apart = [kernel(normal(10, 4, s), normal(10, 4, s + 500, mean=1.0)) for s in range(200)]
    error = torch.tensor(same).std() / 200**0.5
    assert abs(sum(same) / 200) < 4 * error < sum(apart) / 200 / 4


def test_both_agree_with_torch_fidelity():
    pytest.importorskip("torch_fidelity", reason='the reference is torch-fidelity: pip install "ddpm_lessons[fid]"')
    from torch_fidelity.metric_fid import fid_statistics_to_metric
    from torch_fidelity.metric_kid import kernel_mmd

    a, b = normal(60, 8, 0), normal(60, 8, 1, std=1.2, mean=0.2)
    stats = [{"mu": x.mean(0).numpy(), "sigma": x.T.cov().numpy()} for x in (a, b)]
    theirs = fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"]
    assert frechet(a, b) == pytest.approx(float(theirs), rel=1e-6)
    theirs = kernel_mmd(a.numpy(), b.numpy())
    assert kernel(a, b) == pytest.approx(float(theirs), rel=1e-6)


@pytest.mark.parametrize("distance", [frechet, kernel])
@pytest.mark.parametrize("a, b", [((3, 4), (3, 5)), ((1, 4), (3, 4)), ((4,), (3, 4))])
def test_what_cannot_be_compared_is_said(distance, a, b):
    with pytest.raises(ValueError, match="N and M > 1"):
        distance(torch.ones(a), torch.ones(b))


def test_precision_and_recall_of_what_lies_where():
    """Real pictures in two heaps, samples in one of them and far away."""
    heap = lambda seed, at: normal(40, 2, seed, 0.1) + at  # noqa: E731
    real = torch.cat([heap(0, 0.0), heap(1, 5.0)])
    one_heap, both, away = heap(2, 0.0), torch.cat([heap(2, 0.0), heap(3, 5.0)]), heap(4, 50.0)
    assert precision_recall(real, real) == (1, 1)
    assert precision_recall(real, away) == (0, 0)
    precision, recall = precision_recall(real, one_heap)
    assert precision > 0.8 and 0.4 < recall <= 0.5
    precision, recall = precision_recall(real, both)
    assert precision > 0.8 and recall > 0.8
    with pytest.raises(ValueError, match="the 3-th neighbour needs more than 3 pictures, got 80 and 3"):
        precision_recall(real, away[:3])


def test_precision_and_recall_are_their_sums():
    real, fake, k = normal(12, 3, 0), normal(9, 3, 1), 3
    far = lambda p, q: float((p - q).norm())  # noqa: E731
    reach = lambda of: [sorted(far(p, q) for q in of)[k] for p in of]  # noqa: E731
    share = lambda x, of: sum(any(far(p, q) <= r for q, r in zip(of, reach(of))) for p in x) / len(x)  # noqa: E731
    assert precision_recall(real, fake) == (share(fake, real), share(real, fake))


@pytest.mark.parametrize("p, score", [(torch.eye(4), 4.0), (torch.full((5, 4), 0.25), 1.0), (torch.eye(4)[:2], 2.0)])
def test_the_inception_score_counts_the_classes_that_are_surely_seen(p, score):
    assert inception_score((p + 1e-12).log()) == pytest.approx(score, rel=1e-6)


def test_scores_agree_with_torch_fidelity():
    pytest.importorskip("torch_fidelity", reason='the reference is torch-fidelity: pip install "ddpm_lessons[fid]"')
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_prc import calculate_precision_recall_full

    logits = normal(60, 8, 0, std=2.0)
    theirs = isc_features_to_metric(logits, splits=1, shuffle=False)["inception_score_mean"]
    assert inception_score(logits) == pytest.approx(float(theirs), rel=1e-6)
    a, b = normal(60, 8, 0), normal(60, 8, 1, std=1.2, mean=0.2)
    assert precision_recall(a, b) == pytest.approx(calculate_precision_recall_full(b, a))


def test_a_linear_classifier_learns_and_is_the_same_each_time():
    y = torch.arange(200) % 3
    x = normal(200, 5) + 3 * torch.nn.functional.one_hot(y, 5)
    a, b = linear_classifier(x[:100], y[:100]), linear_classifier(x[:100], y[:100])
    assert (a(x[100:]).argmax(1) == y[100:]).double().mean() > 0.8 and torch.equal(a(x), b(x))
    assert not a(x).requires_grad


MAPS = Features("pixels", lambda x: x.mean((2, 3)), maps=lambda x: [x, 2 * x[:, :2, ::2, ::2]])


def test_the_perceptual_distance_is_its_sum_and_ignores_lengths():
    """LPIPS compares directions of the features at each place."""
    a, b = pictures(60, 0), pictures(60, 1)  # more than one batch
    direction = lambda v: v / v.norm()  # noqa: E731
    expected = 0.0
    for p, q in zip(MAPS.maps(a[:1]), MAPS.maps(b[:1])):
        places = [(i, j) for i in range(p.shape[2]) for j in range(p.shape[3])]
        expected += sum((direction(p[0, :, i, j]) - direction(q[0, :, i, j])).square().sum() for i, j in places) / len(
            places
        )
    d = perceptual(a, b, MAPS)
    assert d.shape == (60,) and d[0] == pytest.approx(float(expected), rel=1e-5)
    assert torch.allclose(perceptual(a, 0.5 * b, MAPS), d, rtol=1e-4) and perceptual(a, a, MAPS).abs().max() < 1e-9
    with pytest.raises(ValueError, match="pairs of pictures of one shape"):
        perceptual(a, b[:5], MAPS)


# the yardstick


def pictures(n, seed=0, mean=0.0):
    return (mean + 0.3 * normal(n, 3 * 4, seed)).float().view(n, 3, 2, 2).clamp(-1, 1)


def test_the_floor_stands_beside_the_number():
    real = pictures(60)
    measure = Yardstick(real, 30, MEANS)
    near, far = measure(pictures(30, 1)), measure(pictures(30, 1, mean=0.6))
    assert near.frechet_floor == far.frechet_floor > 0 and near.n == 30 and near.features == "means"
    assert far.frechet > 5 * near.frechet > 0 and far.kernel > 5 * abs(near.kernel)
    assert str(far).startswith(f"Fréchet {far.frechet:.0f} (floor {far.frechet_floor:.0f}), kernel ")
    assert str(far).endswith("means, n = 30")


def test_the_photographs_that_samples_meet_are_not_the_floors():
    """Samples that are the reference itself: no distance; the floor stays."""
    real = pictures(60)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    d = Yardstick(real, 30, MEANS)(real[order[:30]])
    assert d.frechet == pytest.approx(0, abs=1e-9) and d.frechet_floor > 1e-4
    d = Yardstick(real, 30, MEANS)(real[order[30:]])
    assert d.frechet == pytest.approx(d.frechet_floor) and d.kernel == pytest.approx(d.kernel_floor)
    assert (d.precision, d.recall) == (d.precision_floor, d.recall_floor)


def test_too_few_photographs_or_samples_are_said():
    with pytest.raises(ValueError, match="n should lie in 5..5: the floor needs 2 n of the 10 photographs, got 6"):
        Yardstick(pictures(10), 6, MEANS)
    with pytest.raises(ValueError, match="the floor belongs to n = 5, got 4"):
        Yardstick(pictures(10), 5, MEANS)(pictures(4))


# the features


def test_features_cut_off_what_sticks_out_and_refuse_bytes():
    x = pictures(3)
    assert torch.equal(MEANS(3 * x), MEANS((3 * x).clamp(-1, 1)))
    assert MEANS(x).dtype == torch.float64
    assert MEANS(x[:, :1]).shape == (3, 3)  # grey
    with pytest.raises(ValueError, match="divide by 127.5 and subtract 1"):
        MEANS(x * 255)
    with pytest.raises(ValueError, match="pictures should be"):
        MEANS(x[0])
    with pytest.raises(ValueError, match="NaN"):
        MEANS(x * float("nan"))


def test_efficientnet_tells_flowers_from_noise_offline(monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", None)
    features, rng = efficientnet(), torch.Generator().manual_seed(0)
    flowers = drawn(90, 32, rng).x
    measure = Yardstick(flowers[:60], 30, features)
    same = measure(flowers[60:])
    noise = measure(torch.randn(30, 3, 32, 32, generator=rng))
    assert features(flowers[:2]).shape == (2, 1280) and features.name == same.features == "EfficientNet-Lite0"
    assert same.frechet == pytest.approx(same.frechet_floor, rel=0.3) and noise.frechet > 3 * same.frechet
    assert noise.kernel > 10 * abs(same.kernel) and noise.precision < same.precision
    maps = features.maps(flowers[:2])
    assert [m.shape[-1] for m in maps] == [64, 32, 16, 8, 4] and features.logits(features(flowers[:2])).shape == (
        2,
        1000,
    )
    blurred = torch.nn.functional.avg_pool2d(flowers[:2], 5, 1, 2)
    near, far = perceptual(flowers[:2], blurred, features), perceptual(flowers[:2], flowers[2:4], features)
    assert 0 < near.mean() < far.mean()


def test_inception_without_its_package_or_a_network_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "ddpm_lessons\[fid\]"'):
        inception()
    monkeypatch.undo()
    pytest.importorskip("torch_fidelity", reason='pip install "ddpm_lessons[fid]"')

    def no_network(*a, **kw):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", no_network)
    with pytest.raises(OSError, match="could not download https://.*Is there a network"):
        inception()


def test_inception_is_read_without_running_code_and_measures_by_the_same_call(monkeypatch, tmp_path):
    """Its weights are not to be had in a test: a net of the same class with random ones stands in."""
    theirs = pytest.importorskip(
        "torch_fidelity.feature_extractor_inceptionv3", reason='pip install "ddpm_lessons[fid]"'
    )
    asked = []
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda url, **kw: asked.append((url, kw)))
    monkeypatch.setattr(torch, "load", lambda file, **kw: asked.append(file))
    monkeypatch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
    file = tmp_path / "checkpoints" / INCEPTION.rpartition("/")[2]
    file.parent.mkdir()
    file.write_bytes(b"something else")
    with pytest.raises(ValueError, match="is not the published file .* delete it and run again"):
        inception()  # torch trusts what lies in its cache
    asked.clear()
    monkeypatch.setattr("hashlib.sha256", lambda content: SimpleNamespace(hexdigest=lambda: "6726825d..."))
    features = inception()
    (url, how), file = asked
    assert url == INCEPTION == theirs.URL_INCEPTION_V3 and how["check_hash"] and how["weights_only"]
    assert file == f"{tmp_path}/checkpoints/{url.split('/')[-1]}"
    x = drawn(10, 32, torch.Generator().manual_seed(0)).x
    d = Yardstick(x, 5, features)(x[:5])
    assert features(x[:2]).shape == (2, 2048) and str(d).endswith("Inception-v3, n = 5")


def test_precision_and_recall_in_parts_are_those_of_the_whole(monkeypatch):
    """More pictures than fit into one part of 2000."""
    g = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2100, 4, generator=g), 0.7 * torch.randn(2050, 4, generator=g)
    radius = torch.cdist(real, real).kthvalue(4, dim=1).values
    whole = (torch.cdist(fake, real) <= radius).any(1).double().mean()
    assert precision_recall(real, fake)[0] == pytest.approx(float(whole))


def test_features_without_maps_say_what_to_take():
    with pytest.raises(ValueError, match="two numbers gives one vector a picture; .* efficientnet"):
        perceptual(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), Features("two numbers", lambda x: x))
