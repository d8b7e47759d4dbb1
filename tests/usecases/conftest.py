"""An open session on the small job's model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagtower.usecases.session import Session, open_session


@pytest.fixture(scope="session")
def session(job, trained) -> Iterator[Session]:
    with open_session(trained, store=job.folder / "store") as opened:
        yield opened
