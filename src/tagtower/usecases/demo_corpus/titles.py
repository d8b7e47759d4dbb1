"""Writes the titles of demo clips: they speak of a topic, in changing words, and never of picture or sound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TOPICS: dict[str, tuple[str, ...]] = {
    "cooking": (
        "a simple soup recipe",
        "roast chicken from the oven",
        "fresh pasta",
        "the perfect tomato sauce",
        "bread and butter",
        "a chef in the kitchen",
        "soup and fresh bread",
        "an oven recipe",
        "cooking at home",
    ),
    "football": (
        "the penalty shootout",
        "a goal in the last minute",
        "the goalkeeper",
        "the league final",
        "a penalty in the final",
        "the striker and the goalkeeper",
        "the league striker",
        "football in the park",
    ),
    "space": (
        "a rocket launch",
        "the moon landing",
        "a new telescope",
        "the orbit of Mars",
        "an astronaut in orbit",
        "the Mars rover",
        "a telescope for distant planets",
        "the astronaut and the rocket",
        "space travellers",
    ),
    "gardening": (
        "tomato plants in pots",
        "roses along the fence",
        "a compost heap",
        "seeds and seedlings",
        "pruning the roses",
        "the vegetable patch",
        "compost for the vegetable patch",
        "gardening on a balcony",
    ),
    "finance": (
        "the stock market",
        "interest rates and inflation",
        "a savings account",
        "bonds and shares",
        "inflation and the bank",
        "shares for savers",
        "the bank and the market",
        "personal finance",
    ),
    "travel": (
        "a week in Lisbon",
        "the airport queue",
        "a cheap hotel",
        "backpacking across Peru",
        "passport and luggage",
        "a hotel by the airport",
        "luggage for a week",
        "travel on a budget",
    ),
    "chess": (
        "a queen sacrifice",
        "the Sicilian opening",
        "checkmate with a knight",
        "the rook endgame",
        "the grandmaster and the pawn",
        "an endgame with a pawn",
        "an opening sacrifice",
        "chess in the club",
    ),
    "medicine": (
        "a new vaccine",
        "the surgeon on duty",
        "hospital nurses",
        "symptoms and diagnosis",
        "the patient and the nurse",
        "a vaccine for every patient",
        "the diagnosis of a surgeon",
        "medicine for students",
    ),
}
"""Phrases by topic, which is the tag; most of them do without the topic's own name."""

_ABOUT_ONE = (
    "{a}",
    "{a} explained",
    "A beginner's guide to {a}",
    "The truth about {a}",
    "Why {a} matters",
    "What nobody tells you about {a}",
    "{a}: questions and answers",
    "Everything about {a}",
    "My story: {a}",
)
_ABOUT_TWO = (
    "{a} and {b}",
    "{a}, then {b}",
    "From {a} to {b}",
    "{a} meets {b}",
    "How {a} led to {b}",
    "{a}: the case of {b}",
)
_CHANNELS = (
    "Orvel",
    "Tandem Desk",
    "Brightwick",
    "Kestrel Media",
    "Plume",
    "The Daily Nook",
    "Marrow",
    "Juniper Lane",
    "Fathom",
    "Copperfield",
    "Quillon",
    "Halden Brothers",
)


def write_title(topics: Sequence[str], channel: int, rng: np.random.Generator) -> str:
    """A title that speaks of one or two topics, in words drawn by `rng`; it may carry its channel's name."""
    phrases = [str(rng.choice(TOPICS[topic])) for topic in topics]
    if len(phrases) == 1 and rng.random() < 0.5:
        others = [phrase for phrase in TOPICS[topics[0]] if phrase != phrases[0]]
        phrases.append(str(rng.choice(others)))
    frame = str(rng.choice(_ABOUT_ONE if len(phrases) == 1 else _ABOUT_TWO))
    title = frame.format(a=phrases[0], b=phrases[-1])
    title = title[0].upper() + title[1:]
    if rng.random() < 0.4:
        title = f"{title} | {_CHANNELS[channel % len(_CHANNELS)]}"
    return title
