from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.config.sections import AudioSettings
from tagtower.features.spectra import FRONTENDS, FrontEnd, Spectra


@pytest.mark.parametrize("name", FRONTENDS)
@pytest.mark.parametrize("samples", [0, 1, 400, 401, 16000])
def test_all_share_one_grid_of_steps(name: str, samples: int) -> None:
    frontend = FRONTENDS[name](AudioSettings())
    assert isinstance(frontend, FrontEnd)
    found = frontend(torch.zeros(samples))
    assert found.shape == (1 + max(0, samples - 400) // 160, frontend.width)
    assert found.dtype == torch.float32
    assert found.isfinite().all()


@pytest.mark.parametrize("name", FRONTENDS)
def test_what_is_no_number_counts_as_silence(name: str, waveform: np.ndarray) -> None:
    broken, mended = torch.from_numpy(waveform.copy()), torch.from_numpy(waveform.copy())
    broken[1000:1100] = torch.tensor([float("nan"), float("inf")]).repeat(50)
    mended[1000:1100] = 0
    frontend = FRONTENDS[name](AudioSettings())
    assert torch.equal(frontend(broken), frontend(mended))


def test_several_stand_side_by_side_in_the_order_given(waveform: np.ndarray) -> None:
    sound = torch.from_numpy(waveform)
    both = Spectra(AudioSettings(frontend=("dwt", "mfcc")))
    assert both.width == 7 + 40
    settings = AudioSettings()
    parts = [FRONTENDS["dwt"](settings)(sound), FRONTENDS["mfcc"](settings)(sound)]
    assert torch.equal(both(sound), torch.cat(parts, dim=1))
