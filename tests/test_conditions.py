"""Conditions: one-hot rows, and zeros for "anything"."""

import pytest
import torch

from ddpm_lessons.conditions import Cond, both, classes


def test_classes_are_one_hot_rows():
    assert classes(torch.tensor([2, 0]), 3).vec.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("labels", [[3], [0, -1]])
def test_a_label_outside_is_told_the_range(labels):
    with pytest.raises(ValueError, match=r"labels should lie in 0\.\.2, got"):
        classes(torch.tensor(labels), 3)


def test_no_labels_are_no_rows():
    assert classes(torch.tensor([], dtype=torch.long), 3).vec.shape == (0, 3)


def test_drop_1_is_null_and_drop_0_changes_nothing():
    cond = Cond(torch.ones(50, 4))
    assert (cond.drop(1.0).vec == 0).all()
    assert torch.equal(cond.drop(0.0).vec, cond.vec)


def test_drop_takes_whole_rows_with_probability_p(rng):
    vec = Cond(torch.ones(10_000, 3)).drop(0.1, rng).vec
    assert (vec == vec[:, :1]).all()  # all of a row or nothing
    assert (vec[:, 0] == 0).float().mean().item() == pytest.approx(0.1, abs=0.015)  # 5 standard errors


def test_drop_keeps_the_type():
    assert Cond(torch.ones(2, 3, dtype=torch.float64)).drop(0.5).vec.dtype == torch.float64


def test_both_is_one_batch_after_the_other():
    assert both(Cond(torch.zeros(1, 2)), Cond(torch.ones(2, 2))).vec.tolist() == [[0, 0], [1, 1], [1, 1]]


def test_a_condition_moves_to_a_device():
    cond = classes(torch.tensor([1]), 2).to("cpu")
    assert cond.vec.device.type == "cpu" and cond.vec.tolist() == [[0, 1]]


def text(n=3):
    """Two real tokens and one of padding."""
    mask = torch.tensor([[True, True, False]]).expand(n, -1)
    return Cond(torch.ones(n, 2), torch.ones(n, 3, 4), mask)


def test_a_dropped_text_is_zeros_and_has_no_real_token(rng):
    cond = text(1000).drop(0.3, rng)
    gone = (cond.vec == 0).all(1)
    assert gone.float().mean().item() == pytest.approx(0.3, abs=0.08)
    assert (cond.seq[gone] == 0).all() and not cond.mask[gone].any() and cond.mask.dtype == torch.bool
    assert (cond.seq[~gone] == 1).all() and torch.equal(cond.mask[~gone], text(1000).mask[~gone])


def test_texts_are_joined_and_cut_like_vectors():
    two = both(text(1), text(2).drop(1.0))
    assert two.vec.shape == (3, 2) and two.seq.shape == (3, 3, 4) and two.mask.sum(1).tolist() == [2, 0, 0]
    assert two.each(lambda v: v[1:]).mask.shape == (2, 3)
