"""The Python class: the use cases on a loaded model, as a library user calls them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, final

import numpy as np
from jaxtyping import Float

from tagtower.errors import OfflineError, UsageError
from tagtower.index.build import build_index
from tagtower.library.tags import TagLibrary
from tagtower.pipeline.extract import Failed
from tagtower.pipeline.vectors import embed_videos
from tagtower.records import Tag, Video
from tagtower.towers import LoadedModel, load_model
from tagtower.training.manifest.location import resolve_location
from tagtower.usecases.label import Labelled, Unlabelled, label
from tagtower.usecases.ranking import RankerName
from tagtower.usecases.session import Device, Session, open_session


@final
class TagTower:
    """A trained model that tags videos. Made by `from_pretrained`; usable as a context manager.

    A video is a path, or a `tagtower.Video` where a title goes with it. Decoding runs in child processes that
    `close` ends; they end with the program in any case.
    """

    def __init__(self, model: LoadedModel, session: Session, resources: ExitStack) -> None:
        self.model = model
        self._session = session
        self._resources = resources

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        *,
        device: Device = "auto",
        store: Path | None = None,
        bypass_store: bool = False,
    ) -> TagTower:
        """Return the model of a folder, or of a hub repository where no such folder exists.

        Raises:
            ModelError: the folder holds no whole model.
            OfflineError: there is no such folder, and the hub cannot be reached or has no such model.
        """
        folder = Path(path)
        model = load_model(folder if folder.is_dir() else _download(str(path)))
        resources = ExitStack()
        session = resources.enter_context(
            open_session(model, device=device, store=store, bypass_store=bypass_store)
        )
        return cls(model, session, resources)

    def label(
        self,
        videos: Sequence[str | Path | Video],
        tags: Sequence[str | Tag] | TagLibrary,
        *,
        top_k: int | None = 5,
        max_distance: float | None = None,
        precision: float | None = None,
        ranker: RankerName | None = None,
    ) -> list[Labelled | Unlabelled]:
        """Return the ranked tags of each video, in order; a video that cannot be read yields an `Unlabelled`.

        Both limits count where both are given, and `top_k` is 5 unless it is said otherwise: for every tag within
        a distance give `top_k=None` too. With `top_k` None alone every tag comes back, nearest first. Tags that
        have expired are left out. With `precision`, only tags come back so probable that such tags were right this
        often on the validation videos; `ranker` is the model's best unless it is said otherwise.
        """
        return list(
            label(
                self._session,
                _videos(videos),
                _library(tags),
                top_k=top_k,
                max_distance=max_distance,
                precision=precision,
                ranker=ranker,
            )
        )

    def encode_videos(self, videos: Sequence[str | Path | Video]) -> Float[np.ndarray, "video dim"]:
        """Return the vector of each video.

        Raises:
            InputError: a video cannot be read.
        """
        vectors = []
        extracted = self._session.extractor.extract(_videos(videos))
        for one in embed_videos(self.model.tower, extracted):
            if isinstance(one, Failed):
                raise one.error
            vectors.append(one.vector)
        return np.stack(vectors) if vectors else np.zeros((0, self.model.tower.width), np.float32)

    def encode_tags(self, tags: Sequence[str]) -> Float[np.ndarray, "tag dim"]:
        """Return the vector of each tag text, which need not have occurred in training."""
        return self._session.tags.encode(tags)

    def distances(
        self, videos: Sequence[str | Path | Video], tags: Sequence[str]
    ) -> Float[np.ndarray, "video tag"]:
        """Return how far each tag is from each video: 1 - cosine in [0, 2], L2, or the share of differing bits.

        Raises:
            InputError: a video cannot be read.
        """
        index = build_index(self.encode_tags(tags), self.model.tower.settings.distance.kind)
        return index.distances(self.encode_videos(videos))

    def save_pretrained(self, path: str | Path) -> None:
        """Copy the model folder to `path`.

        Raises:
            UsageError: something stands there.
        """
        if Path(path).exists():
            raise UsageError(f"{path} exists.", hint="Name a folder that does not exist yet.")
        shutil.copytree(self.model.folder, path, ignore=shutil.ignore_patterns("logs"))

    def push_to_hub(self, repo_id: str, *, private: bool = False, **options: Any) -> str:
        """Upload the model folder to a hub repository, made where there is none, and return the commit's address."""
        from huggingface_hub import HfApi

        api = HfApi()
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id, folder_path=self.model.folder, ignore_patterns=["logs/*"], **options
        )
        return str(commit.commit_url)

    def close(self) -> None:
        """End the decoding processes and let go of the feature store."""
        self._resources.close()

    def __enter__(self) -> TagTower:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _videos(videos: Sequence[str | Path | Video]) -> list[Video]:
    given = [one if isinstance(one, Video) else Video(id=str(one), media=str(one)) for one in videos]
    # The decoding processes stand where the program stood when they were started, which may be elsewhere.
    return [
        one if one.media is None else replace(one, media=resolve_location(one.media, Path.cwd()))
        for one in given
    ]


def _library(tags: Sequence[str | Tag] | TagLibrary) -> TagLibrary:
    if not isinstance(tags, TagLibrary):
        tags = TagLibrary.from_tags([Tag(one) if isinstance(one, str) else one for one in tags])
    return tags.unexpired(datetime.now(UTC))


def _download(repo_id: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repo_id))
    except Exception as error:  # the hub's client raises many kinds, those of its transport included
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise OfflineError(
            f"There is no folder {repo_id}, and no model of that name came from the hub ({reason}).",
            hint="Name a model folder, or check the name and the network.",
        ) from None
