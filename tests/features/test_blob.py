from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tagtower.features.blob import decode_array, encode_array

arrays = hnp.arrays(
    st.sampled_from([np.dtype(code) for code in ("u1", "i8", "f2", "f4", ">f4", "f8", "?")]),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)


@given(arrays)
def test_an_array_comes_back_with_type_and_shape(array: np.ndarray) -> None:
    back = decode_array(encode_array(array))
    assert back is not None
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    assert back.flags.writeable


def test_an_array_that_lies_scattered_in_memory_comes_back() -> None:
    array = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)[::2]
    np.testing.assert_array_equal(decode_array(encode_array(array)), array)


@given(arrays, st.data())
def test_any_flipped_bit_and_any_cut_is_told(array: np.ndarray, data: st.DataObject) -> None:
    blob = bytearray(encode_array(array))
    cut = data.draw(st.integers(0, len(blob) - 1))
    assert decode_array(bytes(blob[:cut])) is None
    blob[cut] ^= 1 << data.draw(st.integers(0, 7))
    assert decode_array(bytes(blob)) is None


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([object()]), np.array([1j])])
def test_only_numbers_are_stored(array: np.ndarray) -> None:
    with pytest.raises(TypeError, match="numbers"):
        encode_array(array)
