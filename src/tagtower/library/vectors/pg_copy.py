"""Vectors out of PostgreSQL in bulk: COPY in the binary format, which numpy reads as it is.

Source: PostgreSQL 18 documentation, COPY, "Binary Format"; pgvector, `vector_send`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64
from sqlalchemy import Connection

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
HEADER_BYTES = len(SIGNATURE) + 8


def copy_vectors(
    connection: Connection, query: str, width: int
) -> tuple[Int64[np.ndarray, "video"], Float32[np.ndarray, "video dim"]]:
    """Return what a query gives, whose columns are a bigint and a vector of this width, neither of them null."""
    driver = connection.connection.driver_connection
    assert driver is not None, "the connection is open"
    with driver.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as out:
        data = b"".join(out)
    row = np.dtype(
        [
            ("fields", ">i2"),
            ("id_bytes", ">i4"),
            ("id", ">i8"),
            ("vector_bytes", ">i4"),
            ("dim", ">i2"),
            ("unused", ">i2"),
            ("vector", ">f4", (width,)),
        ]
    )
    rows = np.frombuffer(data[HEADER_BYTES:-2], row)  # two bytes at the end say that it is one
    return rows["id"].astype(np.int64), rows["vector"].astype(np.float32)
