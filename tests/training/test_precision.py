"""bf16 is used where it is asked for, or by default where a GPU has it; a CPU stays at float32."""

from __future__ import annotations

import pytest
import torch

from tagtower.training.precision import Precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(("wanted", "bf16"), [("auto", False), ("fp32", False), ("bf16", True)])
def test_on_a_cpu(wanted, bf16):
    precision = Precision.choose(wanted, CPU)
    assert precision.bf16 is bf16
    with precision.autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if bf16 else torch.float32)


@pytest.mark.parametrize("loss", ["triplet", "softmax"])
def test_training_in_bf16_learns_too(problem, loss):
    result = problem(loss={"name": loss}, train={"precision": "bf16"}).fit()
    assert result.best.metrics.ndcg_at_10 > result.history[0].metrics.ndcg_at_10 + 0.2
