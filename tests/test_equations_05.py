"""The equations of lesson 05: each part of the U-Net against the formula, written out in loops."""

import math

import torch

from ddpm_lessons.networks import layers


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_5_3_time_as_waves():
    e = layers.Sinusoidal(8)(torch.tensor([3, 700]))
    for row, t in zip(e, (3, 700)):
        for i in range(4):
            w = 10_000 ** (-i / 4)
            assert abs(row[i].item() - math.sin(t * w)) < 1e-4
            assert abs(row[4 + i].item() - math.cos(t * w)) < 1e-4


def test_5_1_group_norm():
    x = randn(2, 16, 3, 3) * 5 + 2
    norm = layers.group_norm(16)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(0.5, 2, 16))
        norm.bias.copy_(torch.linspace(-1, 1, 16))
        y = norm(x)
    for b in range(2):
        for c in range(16):
            group = x[b, 2 * (c // 2) : 2 * (c // 2) + 2]
            wanted = (
                norm.weight[c] * (x[b, c] - group.mean()) / (group.var(unbiased=False) + 1e-5).sqrt() + norm.bias[c]
            )
            assert torch.allclose(y[b, c], wanted, atol=1e-5)


def test_5_1_company_does_not_matter():
    x = randn(4, 16, 3, 3)
    assert torch.allclose(layers.group_norm(16)(x)[:1], layers.group_norm(16)(x[:1]), atol=1e-6)


def test_5_2_rearranging_keeps_every_number():
    x, down = randn(2, 3, 4, 6), layers.RearrangeDown(3, 12)
    with torch.no_grad():  # a mix that leaves the channels as they are
        down.mix.weight.copy_(torch.eye(12)[:, :, None, None])
        down.mix.bias.zero_()
    y = down(x)
    for c in range(3):
        for p1 in (0, 1):
            for p2 in (0, 1):
                assert torch.allclose(y[:, 4 * c + 2 * p1 + p2], x[:, c, p1::2, p2::2], atol=1e-6)


def test_5_4_the_block():
    block = layers.Block(8, 8, 16, 0.0, layers.Parts())
    x, e = randn(2, 8, 4, 4), randn(2, 16)
    assert torch.equal(block(x, e), x), "a new block should pass x on"
    torch.nn.init.normal_(block.second[-1].weight)
    w1, w2 = block.first[-1], block.second[-1]
    s, b = block.film(e)[..., None, None].split(8, dim=1)
    silu = torch.nn.functional.silu
    h = w1(silu(block.first[0](x)))
    assert torch.allclose(block(x, e), x + w2(silu((1 + s) * block.norm(h) + b)), atol=1e-5)


def test_5_5_attention():
    q, k, v = randn(3, 5, 4)
    mine = torch.zeros(5, 4)
    for i in range(5):
        weight = torch.tensor([math.exp(float(q[i] @ k[j]) / 2) for j in range(5)])  # sqrt(d) = 2
        mine[i] = (weight / weight.sum()) @ v
    assert torch.allclose(torch.nn.functional.scaled_dot_product_attention(q, k, v), mine, atol=1e-5)
    layer = layers.Attention(8, layers.Parts(), head=4)
    assert torch.equal(layer(randn(2, 8, 4, 4)), randn(2, 8, 4, 4)), "a new layer should pass x on"


def test_5_6_what_a_linear_bottleneck_loses():
    n, k = 12, 8
    eps = randn(20_000, n)

    def lost(p):
        return float((eps - eps @ p.mT).square().mean())

    basis = torch.linalg.qr(torch.randn(n, k, generator=torch.Generator().manual_seed(1)))[0]
    assert abs(lost(basis @ basis.T) - (1 - k / n)) < 0.01, "an orthogonal projection reaches the bound"
    narrow, wide = (torch.nn.Linear(a, b, bias=False) for a, b in ((n, k), (k, n)))
    adam = torch.optim.Adam([*narrow.parameters(), *wide.parameters()], 0.03)
    for _ in range(400):  # exactly: the mean over eps of |eps - P eps|^2 is the squared size of 1 - P
        loss = (torch.eye(n) - wide.weight @ narrow.weight).square().sum() / n
        adam.zero_grad(), loss.backward(), adam.step()
        assert loss.item() > 1 - k / n - 1e-5, "and no other gets below it"
    assert loss.item() < 1 - k / n + 0.01
