"""The tags that belong to each video, aliases resolved: what may never be held against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class OwnTags:
    """Each video's own tags as one flat tensor: those of video i are `tags[offsets[i]:offsets[i + 1]]`, ascending.

    `by_alias` marks the tags that the video does not bear itself: they are aliases of one that it does.
    """

    offsets: Int[Tensor, "boundary"]
    tags: Int[Tensor, "entry"]
    by_alias: Bool[Tensor, "entry"]

    @staticmethod
    def from_lists(own: Sequence[Sequence[int]], aliases: Sequence[Sequence[int]] | None = None) -> OwnTags:
        """Own tags, one sequence of tag indices a video, and beside them the aliases of these tags.

        A tag in both counts as the video's own; repeats are dropped.
        """
        offsets, tags, by_alias = [0], list[int](), list[bool]()
        for row, listed in enumerate(own):
            borne = set(listed)
            every = sorted(borne.union(aliases[row] if aliases is not None else ()))
            tags.extend(every)
            by_alias.extend(tag not in borne for tag in every)
            offsets.append(len(tags))
        return OwnTags(
            torch.tensor(offsets, dtype=torch.int64),
            torch.tensor(tags, dtype=torch.int64),
            torch.tensor(by_alias, dtype=torch.bool),
        )

    def __len__(self) -> int:
        return self.offsets.shape[0] - 1

    @property
    def counts(self) -> Int[Tensor, "video"]:
        """How many own tags each video has."""
        return self.offsets.diff()

    def to(self, device: torch.device) -> OwnTags:
        """The same on another device."""
        return OwnTags(self.offsets.to(device), self.tags.to(device), self.by_alias.to(device))

    def entries_of(self, videos: Int[Tensor, "row"]) -> tuple[Int[Tensor, "found"], Int[Tensor, "found"]]:
        """The entries of the given videos, in their order: which row each belongs to, and where it stands in `tags`."""
        counts = self.counts[videos]
        row = torch.repeat_interleave(torch.arange(len(videos), device=counts.device), counts)
        first = counts.cumsum(0) - counts
        step = torch.arange(len(row), device=counts.device) - first[row]
        return row, self.offsets[videos][row] + step

    def take(self, videos: Int[Tensor, "row"]) -> OwnTags:
        """The own tags of the given videos, in the given order; a video may be given twice."""
        row, entry = self.entries_of(videos)
        return OwnTags(_offsets(row, len(videos)), self.tags[entry], self.by_alias[entry])

    def within(self, tags: Int[Tensor, "column"]) -> OwnTags:
        """The own tags that are among the given ones, renumbered to their positions there.

        `tags` are tag indices in ascending order, without repeats.
        """
        video = torch.repeat_interleave(torch.arange(len(self), device=self.tags.device), self.counts)
        column = torch.searchsorted(tags, self.tags)
        found = torch.isin(self.tags, tags)
        return OwnTags(_offsets(video[found], len(self)), column[found], self.by_alias[found])

    def mask(self, tags: int) -> Bool[Tensor, "video tag"]:
        """True where a tag belongs to a video, for the first `tags` tags, which must cover all own ones."""
        video = torch.repeat_interleave(torch.arange(len(self), device=self.tags.device), self.counts)
        mask = torch.zeros((len(self), tags), dtype=torch.bool, device=self.tags.device)
        mask[video, self.tags] = True
        return mask


def _offsets(video: Int[Tensor, "entry"], videos: int) -> Int[Tensor, "boundary"]:
    counts = torch.bincount(video, minlength=videos)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])
