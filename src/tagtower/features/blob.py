"""A numpy array as bytes that tell damage: a checksum, the dtype and shape as JSON, and the numbers."""

from __future__ import annotations

import json
import math
import struct
import zlib

import numpy as np

PREFIX = struct.Struct("<II")
"""Checksum of all that follows it, and the length of the JSON."""

NUMBERS = "biuf"


def encode_array(array: np.ndarray) -> bytes:
    """Return an array of booleans, integers or floats as bytes.

    Raises:
        TypeError: it holds something else.
    """
    if array.dtype.kind not in NUMBERS:
        raise TypeError(f"only arrays of numbers are stored, not of {array.dtype}")
    header = json.dumps({"dtype": array.dtype.str, "shape": array.shape}).encode()
    body = struct.pack("<I", len(header)) + header + array.tobytes()
    return struct.pack("<I", zlib.crc32(body)) + body


def decode_array(blob: bytes) -> np.ndarray | None:
    """Return the array that `encode_array` was given, as a copy that may be written to; None if damaged."""
    if len(blob) < PREFIX.size:
        return None
    checksum, header_size = PREFIX.unpack_from(blob)
    view = memoryview(blob)
    if zlib.crc32(view[4:]) != checksum:
        return None
    header = json.loads(bytes(view[PREFIX.size : PREFIX.size + header_size]))
    dtype, shape = np.dtype(header["dtype"]), tuple(header["shape"])
    numbers = np.frombuffer(blob, dtype, count=math.prod(shape), offset=PREFIX.size + header_size)
    return numbers.reshape(shape).copy()
