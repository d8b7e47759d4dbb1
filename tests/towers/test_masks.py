from __future__ import annotations

import torch

from tagtower.towers.masks import MaskedBatchNorm, masked_max, masked_mean, on_real

MASK = torch.tensor([[True, True, False], [True, True, True]])


def test_mean_and_max_agree_with_plain_loops() -> None:
    values = torch.randn(2, 3, 4)
    for row, count in enumerate((2, 3)):
        torch.testing.assert_close(masked_mean(values, MASK)[row], values[row, :count].mean(0))
        torch.testing.assert_close(masked_max(values, MASK)[row], values[row, :count].amax(0))


def test_padding_passes_no_value_and_no_gradient() -> None:
    values = torch.randn(2, 3, 4)
    values[0, 2] = torch.nan
    values.requires_grad_()
    (masked_mean(values, MASK).sum() + masked_max(values, MASK).sum()).backward()
    assert torch.equal(values.grad[0, 2], torch.zeros(4))
    assert values.grad.isfinite().all()


def test_on_real_runs_on_real_rows_only() -> None:
    seen = []

    def double(rows: torch.Tensor) -> torch.Tensor:
        seen.append(len(rows))
        return 2 * rows

    values = torch.ones(2, 3, 4)
    out = on_real(double, values, MASK)
    assert seen == [5]
    assert torch.equal(out, 2 * values * MASK[:, :, None])


def test_statistics_of_the_batch_leave_padding_out() -> None:
    values = torch.randn(2, 3, 4)
    values[0, 2] = 1e6
    out = MaskedBatchNorm(4, affine=False)(values, MASK)
    real = out[MASK]
    torch.testing.assert_close(real.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(real.var(0, unbiased=False), torch.ones(4), atol=1e-3, rtol=0)
    assert torch.equal(out[0, 2], torch.zeros(4))


def test_a_lone_step_can_be_trained_on() -> None:
    norm = MaskedBatchNorm(4).train()
    out = norm(torch.ones(1, 2, 4), torch.tensor([[True, False]]))
    assert out.isfinite().all()
