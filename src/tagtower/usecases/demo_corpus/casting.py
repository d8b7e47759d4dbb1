"""Decides what every clip of the demo shows, sounds like and is about, and in which split it lies.

It draws and writes nothing. All parts are dealt independently of each other, so that no modality betrays what
another one shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from tagtower.errors import UsageError
from tagtower.records import Split
from tagtower.usecases.demo_corpus.pictures import MOTIONS, Scene
from tagtower.usecases.demo_corpus.sounds import BEATS, VOICES
from tagtower.usecases.demo_corpus.titles import TOPICS
from tagtower.usecases.demo_corpus.vocabulary import COMPOSITIONS, HELD_OUT, NEW_TAG, compose

FEWEST_VIDEOS = 24
CHANNEL_CLIPS = 4
"""Clips of one channel (group): they share a landscape and a name, and lie in one split."""

_TEST_SHARE, _VAL_SHARE = 0.22, 0.10
_HELD_OUT_SHARE = 0.75  # of the test clips
_LACKING_SHARE = 0.05  # of a split's clips, for each of picture, sound and title

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Role:
    """One clip: a scene or no picture, a voice and a beat or no sound, topics or no title."""

    split: Split
    channel: int
    scene: Scene | None
    voice: str | None
    beat: str | None
    topics: tuple[str, ...]

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags that hold for the clip, pictures first."""
        seen: tuple[str, ...] = ()
        if self.scene:
            colour, shape = self.scene.colour, self.scene.shape
            seen = (colour, shape, compose(colour, shape), self.scene.motion)
        return (*seen, *(sound for sound in (self.voice, self.beat) if sound), *self.topics)


def cast(seed: int, videos: int) -> tuple[Role, ...]:
    """What `videos` clips are, train first, then val, then test; the same for the same seed.

    Raises:
        UsageError: fewer than FEWEST_VIDEOS were asked for.
    """
    if videos < FEWEST_VIDEOS:
        raise UsageError(
            f"A demo corpus of {videos} videos is too small.", hint=f"Ask for {FEWEST_VIDEOS} or more."
        )
    rng = np.random.default_rng([seed, 0])
    known = [pair for pair in COMPOSITIONS if compose(*pair) not in HELD_OUT]
    unknown = [pair for pair in COMPOSITIONS if compose(*pair) in HELD_OUT]
    first = [pair for pair in unknown if compose(*pair) == NEW_TAG]

    test, val = round(videos * _TEST_SHARE), round(videos * _VAL_SHARE)
    unseen = round(test * _HELD_OUT_SHARE)
    pairs: dict[Split, list[tuple[str, str]]] = {
        "train": _deal(known, videos - test - val, rng),
        "val": _deal(known, val, rng),
        "test": [*first, *_deal(unknown, unseen - len(first), rng), *_deal(known, test - unseen, rng)],
    }
    roles: list[Role] = []
    channel = 0
    for split, shown in pairs.items():
        roles += _cast_split(split, shown, channel, rng)
        channel = roles[-1].channel + 1
    return tuple(roles)


def _cast_split(
    split: Split, pairs: Sequence[tuple[str, str]], first_channel: int, rng: np.random.Generator
) -> list[Role]:
    count = len(pairs)
    motions, topics, others = (_deal(list(of), count, rng) for of in (MOTIONS, TOPICS, TOPICS))
    voices, beats = _deal(list(VOICES), count, rng), _deal(list(BEATS), count, rng)
    # Of twenty clips nine have a voice alone, eight both, three a beat alone; one in four has two topics.
    sounds = _deal(["voice"] * 9 + ["both"] * 8 + ["beat"] * 3, count, rng)
    both_topics = _deal([True, False, False, False], count, rng)
    backdrops = [int(backdrop) for backdrop in rng.integers(2**32, size=count)]
    roles = []
    for i, (colour, shape) in enumerate(pairs):
        about = (topics[i], others[i]) if both_topics[i] and topics[i] != others[i] else (topics[i],)
        roles.append(
            Role(
                split=split,
                channel=first_channel + i // CHANNEL_CLIPS,
                scene=Scene(colour, shape, motions[i], backdrops[i // CHANNEL_CLIPS]),
                voice=voices[i] if sounds[i] != "beat" else None,
                beat=beats[i] if sounds[i] != "voice" else None,
                topics=about,
            )
        )
    return _take_away(roles, rng)


def _take_away(roles: list[Role], rng: np.random.Generator) -> list[Role]:
    """The roles of a split, a few of them without picture, sound or title; never two at once."""
    each = max(1, round(len(roles) * _LACKING_SHARE))
    order = [int(i) for i in rng.permutation(len(roles))]
    # A clip of a held-out composition keeps its picture: it is there to be seen.
    blind = [i for i in order if not set(roles[i].tags) & set(HELD_OUT)][:each]
    rest = [i for i in order if i not in blind]
    for i in blind:
        roles[i] = replace(roles[i], scene=None)
    for i in rest[:each]:
        roles[i] = replace(roles[i], voice=None, beat=None)
    for i in rest[each : 2 * each]:
        roles[i] = replace(roles[i], topics=())
    return roles


def _deal(cards: list[T], count: int, rng: np.random.Generator) -> list[T]:
    """`count` cards out of as many shuffled packs as it takes, so that each occurs about equally often."""
    dealt: list[T] = []
    while len(dealt) < count:
        dealt += [cards[i] for i in rng.permutation(len(cards))]
    return dealt[:count]
