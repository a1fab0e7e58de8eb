"""The network: shapes, parts that can be exchanged, and what it looks at."""

import math

import pytest
import torch

from ddpm_lessons.conditions import Cond, classes
from ddpm_lessons.networks.layers import (
    Attention,
    CrossAttention,
    LearnedTime,
    MaxDown,
    Parts,
    RearrangeDown,
    Sinusoidal,
    StrideDown,
    TransposedUp,
    Up,
    group_norm,
)
from ddpm_lessons.networks.unet import UNet, parameters

T3 = torch.tensor([1, 50, 100])


def tiny(**kw):
    return UNet(**dict(channels=1, widths=(8, 16), attend=1, cond_dim=3) | kw)


def shaken(net):
    """The net with random weights everywhere: a new one answers 0, its last layer being 0."""
    torch.manual_seed(0)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.2)
    return net.eval()


def words(n, vec=None, seed=0):
    """A text of two real tokens and one of padding."""
    seq = torch.randn(n, 3, 5, generator=torch.Generator().manual_seed(seed))
    return Cond(torch.zeros(n, 3) if vec is None else vec, seq, torch.tensor([[True, True, False]]).expand(n, -1))


@pytest.mark.parametrize(
    "kw",
    [
        dict(channels=3),
        dict(widths=(8,)),
        dict(widths=(4, 8, 12), blocks=2),
        dict(patch=2),
        dict(attend=0),
        dict(cond_dim=0),
        dict(token_dim=5),
        dict(token_dim=5, cond_dim=0, attend=0),
        dict(parts=Parts(norm=torch.nn.BatchNorm2d, act=torch.nn.GELU)),
        dict(parts=Parts(down=MaxDown, time=LearnedTime)),
        dict(parts=Parts(residual=False, attention=False)),
        dict(parts=Parts(down=StrideDown, up=TransposedUp)),
        dict(token_dim=5, cond_dim=0, attend=2, cross=0, blocks=2),
    ],
    ids=lambda kw: ", ".join(kw),
)
def test_out_comes_the_shape_that_went_in_and_all_weights_learn(kw):
    net = shaken(tiny(**kw))
    x = torch.randn(3, net.channels, 8, 16)
    cond = classes(torch.tensor([0, 1, 2]), 3) if net.cond_dim or net.token_dim else None
    if net.token_dim:
        cond = words(3, vec=cond.vec)
    out = net(x, T3, cond)
    assert out.shape == x.shape
    out.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_a_new_net_answers_zero():
    assert (tiny()(torch.randn(3, 1, 8, 8), T3) == 0).all()


def test_the_answer_depends_on_picture_time_and_condition():
    net, x = shaken(tiny()), torch.randn(1, 1, 8, 8)
    t, cond = torch.tensor([5]), classes(torch.tensor([0]), 3)
    out = net(x, t, cond)
    for other in ((x + 0.1, t, cond), (x, t + 20, cond), (x, t, classes(torch.tensor([1]), 3)), (x, t, None)):
        assert (out - net(*other)).abs().max() > 1e-4


def test_dropped_conditions_are_all_the_same_to_the_net():
    net, x = shaken(tiny()), torch.randn(1, 1, 8, 8)
    a, b = (net(x, torch.tensor([5]), classes(torch.tensor([k]), 3).drop(1.0)) for k in (0, 1))
    assert torch.equal(a, b)


def test_pictures_of_a_batch_do_not_see_each_other():
    net, x = shaken(tiny()), torch.randn(3, 1, 8, 8)
    cond = classes(torch.tensor([0, 1, 2]), 3)
    alone = torch.cat([net(x[i : i + 1], T3[i : i + 1], classes(torch.tensor([i]), 3)) for i in range(3)])
    torch.testing.assert_close(net(x, T3, cond), alone, rtol=1e-4, atol=1e-4)


def test_rearrange_down_loses_no_number(rng):
    down = RearrangeDown(2, 8)
    torch.nn.init.dirac_(down.mix.weight), torch.nn.init.zeros_(down.mix.bias)
    x = torch.randn(1, 2, 4, 6, generator=rng)
    out = down(x)
    assert out.shape == (1, 8, 2, 3)
    assert torch.equal(out.flatten().sort().values, x.flatten().sort().values)


def test_max_down_keeps_the_largest_of_four():
    down = MaxDown(1, 1)
    torch.nn.init.dirac_(down.mix.weight), torch.nn.init.zeros_(down.mix.bias)
    assert down(torch.arange(16.0).view(1, 1, 4, 4)).flatten().tolist() == [5, 7, 13, 15]


def test_up_doubles_and_repeats():
    up = Up(1, 1)
    torch.nn.init.dirac_(up.conv.weight), torch.nn.init.zeros_(up.conv.bias)
    x = torch.tensor([[[[1.0, 2.0]]]])
    assert up(x).squeeze().tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


def test_strided_and_transposed_convolutions_halve_and_double():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    down, up = StrideDown(1, 1), TransposedUp(1, 1)
    torch.nn.init.dirac_(down.weight), torch.nn.init.zeros_(down.bias)
    assert down(x).flatten().tolist() == [0, 2, 8, 10]
    torch.nn.init.constant_(up.weight, 0.25), torch.nn.init.zeros_(up.bias)
    out = up(torch.ones(1, 1, 3, 3))
    assert out.shape == (1, 1, 6, 6) and (out[..., 1:-1, 1:-1] == 1).all()  # four old ones in each, no checkerboard


def test_self_and_cross_attention_begin_where_they_are_told():
    def where(net):
        return [[type(layer).__name__ for layer in stage] for stage in (*net.downs, net.middle)]

    block, own, text = "Block", "Attention", "CrossAttention"
    down = ["RearrangeDown"]
    both = tiny(token_dim=5)  # attend=1
    assert where(both) == [[block], down, [block, own, text], [block, own, text, block]]
    middle = tiny(token_dim=5, attend=2, cross=0)
    assert where(middle) == [[block, text], down, [block, text], [block, own, text, block]]
    assert where(tiny(token_dim=5, attend=0, cross=1)) == [
        [block, own],
        down,
        [block, own, text],
        [block, own, text, block],
    ]
    assert where(tiny(attend=9)) == [[block], down, [block], [block, block]]


def test_sinusoidal_time_is_waves():
    e = Sinusoidal(8)(torch.tensor([0, 3]))
    assert e[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    k = torch.arange(4)
    torch.testing.assert_close(e[1, :4], torch.sin(3 / 10_000 ** (k / 4)))
    torch.testing.assert_close(e[1, :4] ** 2 + e[1, 4:] ** 2, torch.ones(4))


def test_sinusoidal_time_tells_all_steps_apart():
    e = Sinusoidal(32)(torch.arange(1001))
    assert (torch.cdist(e, e) + 9 * torch.eye(1001)).min() > 0.1


def test_attention_is_its_equation():
    """softmax(Q K^T / sqrt(d)) V, written out, for one head."""
    torch.manual_seed(0)
    layer = Attention(8, Parts())
    torch.nn.init.normal_(layer.out.weight)
    x = torch.randn(2, 8, 3, 3)
    q, k, v = layer.qkv(layer.norm(x)).flatten(2).transpose(1, 2).chunk(3, dim=-1)
    looked = ((q @ k.transpose(1, 2)) / math.sqrt(8)).softmax(-1) @ v
    torch.testing.assert_close(layer(x), x + layer.out(looked.transpose(1, 2).view_as(x)))


def test_group_norm_has_mean_0_and_variance_1_in_each_group(rng):
    x = 5 + 3 * torch.randn(2, 16, 4, 4, generator=rng)
    out = group_norm(16)(x).view(2, 8, -1)
    torch.testing.assert_close(out.mean(2), torch.zeros(2, 8), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(2, correction=0), torch.ones(2, 8), atol=1e-4, rtol=0)
    assert group_norm(12).num_groups == 1


def test_parameters_counts_every_number():
    assert parameters(torch.nn.Linear(3, 4)) == 16


@pytest.mark.parametrize(
    "x, cond, message",
    [
        (torch.zeros(2, 3, 8, 8), None, r"takes pictures \(B, 1, H, W\), got \(2, 3, 8, 8\)"),
        (torch.zeros(1, 8, 8), None, r"takes pictures \(B, 1, H, W\), got \(1, 8, 8\)"),
        (torch.zeros(2, 1, 8, 7), None, r"\(8, 7\) are not multiples of 2"),
        (torch.zeros(2, 1, 8, 8), classes(torch.tensor([0, 1]), 5), r"conditions \(2, 3\), got \(2, 5\)"),
        (torch.zeros(2, 1, 8, 8), classes(torch.tensor([0]), 3), r"conditions \(2, 3\), got \(1, 3\)"),
    ],
)
def test_what_does_not_fit_is_told_what_does(x, cond, message):
    with pytest.raises(ValueError, match=message):
        tiny()(x, torch.tensor([1, 2]), cond)


def test_no_condition_is_the_null_condition():
    net = UNet(1, (8, 16), cond_dim=3)
    for p in net.parameters():  # a new net is zero and hears nothing
        torch.nn.init.normal_(p, std=0.2)
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([1, 5])
    null = Cond(torch.zeros(2, 3))
    torch.testing.assert_close(net(x, t), net(x, t, null))
    assert not torch.allclose(net(x, t), net(x, t, Cond(torch.ones(2, 3))))


def test_any_even_widths_will_do_and_odd_ones_say_so():
    assert UNet(1, (10, 100), attend=0)(torch.zeros(1, 1, 8, 8), torch.tensor([1])).shape == (1, 1, 8, 8)
    with pytest.raises(ValueError, match="first width should be even, .* got 9"):
        UNet(1, (9, 18))


# words


def test_padding_is_not_seen_and_words_are():
    net, x, cond = shaken(tiny(token_dim=5)), torch.randn(2, 1, 8, 8), words(2)
    out = net(x, T3[:2], cond)
    other = cond.seq.clone()
    other[:, 2] += 1
    assert torch.equal(net(x, T3[:2], cond._replace(seq=other)), out)
    other[:, 1] += torch.randn(5)
    assert not torch.allclose(net(x, T3[:2], cond._replace(seq=other)), out)


def test_a_dropped_text_is_no_text_whatever_its_length():
    """Nobody looks at nothing: a word that is always there takes the softmax."""
    net, x, cond = shaken(tiny(token_dim=5)), torch.randn(2, 1, 8, 8), words(2)
    out = net(x, T3[:2], cond.drop(1.0))
    assert out.isfinite().all() and torch.allclose(out, net(x, T3[:2]), atol=1e-6)
    shorter = Cond(cond.vec * 0, cond.seq[:, :1], torch.zeros(2, 1, dtype=torch.bool))
    assert torch.allclose(net(x, T3[:2], shorter), out, atol=1e-6)


def test_the_order_of_words_is_the_encoders_business():
    net, x, cond = shaken(tiny(token_dim=5)), torch.randn(2, 1, 8, 8), words(2)
    turned = Cond(*(v if v is cond.vec else v.flip(1) for v in cond))
    assert torch.allclose(net(x, T3[:2], cond), net(x, T3[:2], turned), atol=1e-5)


def test_cross_attention_is_its_formula_and_its_maps_sum_to_1():
    torch.manual_seed(0)
    layer, x = CrossAttention(8, 5, Parts(), head=4), torch.randn(2, 8, 3, 3)
    torch.nn.init.normal_(layer.out.weight)
    seq, mask = torch.randn(2, 4, 5), torch.tensor([[True, True, False, True], [True, False, False, False]])
    q, k, v = layer.queries_keys_values(x, seq)
    assert q.shape == (2, 2, 9, 4) and k.shape == v.shape == (2, 2, 4, 4)
    weight = (q @ k.mT / 2).masked_fill(~mask[:, None, None], -math.inf).softmax(-1)
    h = (weight @ v).permute(0, 1, 3, 2).reshape(2, 8, 3, 3)
    torch.testing.assert_close(layer(x, seq, mask), x + layer.out(h))
    looks = layer.weights(x, seq, mask)
    assert looks.shape == (2, 4, 3, 3) and torch.allclose(looks.sum(1), torch.ones(2, 3, 3))
    assert (looks[0, 2] == 0).all() and (looks[1, 0] == 1).all()


@pytest.mark.parametrize(
    "cond",
    [Cond(torch.zeros(2, 3)), words(3), words(2)._replace(seq=torch.zeros(2, 3, 4)), words(2)._replace(mask=None)],
)
def test_a_text_of_another_shape_is_said(cond):
    with pytest.raises(
        ValueError, match=r"this net takes (sequences \(2, L, 5\) with a mask, got|conditions \(2, 3\), got)"
    ):
        tiny(token_dim=5)(torch.zeros(2, 1, 8, 8), T3[:2], cond)
