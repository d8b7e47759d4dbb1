"""Keyphrases of headlines: no headline is a tag, and a word is a topic only where it looks like a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtower.library.tags import normalize_tag, tag_fault
from tagtower.library.topics.phrases import LONGEST, MAX_PHRASE_CHARACTERS, phrases_of
from tagtower.library.topics.stopwords import guess_language, stop_words


def texts(headline, language="en"):
    return {phrase.text for phrase in phrases_of(headline, stop_words(language))}


@pytest.mark.parametrize(
    ("headline", "language", "found", "absent"),
    [
        ("The solar eclipse is over Texas", "en", {"solar eclipse", "Texas"}, {"The", "solar", "is over"}),
        ("NASA's Artemis returns: what now?", "en", {"NASA", "Artemis", "NASA Artemis"}, {"returns", "now"}),
        ("Breaking: Storm hits coast", "en", {"Storm hits", "hits coast"}, {"Breaking", "Storm", "coast"}),
        ("Total Solar Eclipse Today In Texas", "en", {"Total Solar Eclipse", "Eclipse", "Texas"}, {"Today", "In"}),
        ("COVID-19 cases rise in U.S. states", "en", {"COVID-19", "COVID-19 cases"}, {"in U.S"}),
        ("Hochwasser in Passau und Umgebung", "de", {"Passau", "Umgebung"}, {"in Passau"}),
        ("L'éclipse de Soleil d'Artagnan", "fr", {"Soleil", "Artagnan"}, {"L'éclipse", "d'Artagnan"}),
        ("皆既日食が東京で", None, {"日食", "皆既日食", "東京"}, {"東"}),
        ("#WorldCup final 2030", "en", {"WorldCup", "WorldCup final"}, {"2030", "#WorldCup"}),
        ("Затмение над Москвой", None, {"Затмение над", "Москвой"}, {"над"}),
    ],
)  # fmt: skip
def test_the_phrases_of_a_headline(headline, language, found, absent):
    assert found <= texts(headline, language)
    assert not absent & texts(headline, language)


def test_a_whole_headline_is_no_phrase():
    headline = "Spectacular total solar eclipse darkens northern Texas skies"
    assert headline not in texts(headline)
    assert all(len(text.split()) <= LONGEST for text in texts(headline))


@given(st.text(max_size=300))
def test_whatever_the_headline_its_phrases_can_be_tags(headline):
    for phrase in phrases_of(headline, stop_words(None)):
        assert phrase.key == normalize_tag(phrase.text)
        assert len(phrase.text) <= MAX_PHRASE_CHARACTERS
        assert tag_fault(phrase.text) is None or not phrase.text.isprintable()


def test_a_long_headline_takes_no_long_time():
    assert len(phrases_of("word " * 100, frozenset())) <= LONGEST
    phrases_of("日" * 500 + "a'" * 250, frozenset())


@pytest.mark.parametrize(
    ("headline", "language"),
    [
        ("The cat sat on the mat and was happy", "en"),
        ("Die Katze ist auf dem Dach und will nicht nach Hause", "de"),
        ("Le chat est sur le toit et ne veut pas rentrer", "fr"),
        ("El gato está en el tejado y no quiere bajar", "es"),
        ("Il gatto è sul tetto e non vuole scendere", "it"),
        ("O gato está no telhado e não quer descer", "pt"),
        ("De kat zit op het dak en wil niet naar beneden", "nl"),
        ("Кот сидит на крыше", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_language_of_headlines_is_seen_by_their_small_words(headline, language):
    assert guess_language([headline]) == language


def test_a_language_that_is_named_is_believed():
    assert guess_language(["The cat is on the mat"], "de-AT") == "de"
    assert guess_language(["The cat is on the mat"], "fi") is None
