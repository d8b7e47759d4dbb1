from __future__ import annotations

import math

import pytest
import torch

from tagtower.towers.distances import DISTANCES


def slow_cosine(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return 1 - dot / (math.hypot(*a) * math.hypot(*b))


def slow_hamming(a: list[float], b: list[float]) -> float:
    return sum(x != y for x, y in zip(a, b, strict=True)) / len(a)


SLOW = {"cosine": slow_cosine, "euclidean": math.dist, "hamming": slow_hamming}


def vectors(kind: str, *shape: int) -> torch.Tensor:
    """Random ones; under hamming codes of -1 and 1."""
    values = torch.randn(*shape)
    return values.sign() if kind == "hamming" else values


@pytest.mark.parametrize("kind", DISTANCES)
def test_agrees_with_the_textbook_pair_by_pair(kind: str) -> None:
    torch.manual_seed(0)
    left, right = vectors(kind, 5, 7).double(), vectors(kind, 4, 7).double()
    expected = [[SLOW[kind](a, b) for b in right.tolist()] for a in left.tolist()]
    torch.testing.assert_close(DISTANCES[kind](left, right), torch.tensor(expected).double())


@pytest.mark.parametrize("kind", DISTANCES)
def test_leading_axes_are_batches(kind: str) -> None:
    left, right = vectors(kind, 3, 5, 7), vectors(kind, 3, 4, 7)
    whole = DISTANCES[kind](left, right)
    for k in range(3):
        torch.testing.assert_close(whole[k], DISTANCES[kind](left[k], right[k]))


@pytest.mark.parametrize("kind", DISTANCES)
def test_a_vector_lies_at_itself_and_the_gradient_is_finite_there(kind: str) -> None:
    here = vectors(kind, 1, 6).requires_grad_()
    distance = DISTANCES[kind](here, here.detach().clone())
    distance.sum().backward()
    assert distance.item() == pytest.approx(0.0, abs=2e-3)
    assert here.grad.isfinite().all()


def test_cosine_ends_at_two() -> None:
    right = torch.tensor([[1.0, 0.0]])
    assert DISTANCES["cosine"](-3 * right, right).item() == pytest.approx(2.0)
