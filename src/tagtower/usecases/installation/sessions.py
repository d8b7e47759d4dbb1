"""Opening the models of an installation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tagtower.errors import ConflictError
from tagtower.library.models import ModelRecord
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.session import Device, Session, open_session


@contextmanager
def model_session(
    installation: Installation,
    model: ModelRecord,
    opened: Session | None = None,
    *,
    device: Device = "auto",
    threads: int | None = None,
) -> Iterator[Session]:
    """Open a model of the installation, with its feature store; or give the session that is open already.

    Raises:
        ConflictError: `opened` has another model.
        ModelError: the model's folder is damaged.
    """
    if opened is not None:
        if opened.model.model_fingerprint != model.fingerprint:
            raise ConflictError(
                f"The model {model.name!r} is wanted, and another is open.",
                hint="Try again: it was replaced just now.",
            )
        yield opened
        return
    folder = installation.models / model.folder
    with open_session(folder, store=installation.features, device=device, threads=threads) as session:
        yield session
