"""Figures of tags, and completing their names."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tagtower.library import schema
from tagtower.library.curation.reading import TagFilter
from tagtower.usecases.installation import curate
from tagtower.usecases.installation.judging import judge
from tagtower.usecases.installation.tag_pages import complete, list_tag_page, show_tag


@pytest.fixture
def tags(installation, archive):
    by = curate.Editing("Ada")
    for text in ("red", "Reddish brown", "siren"):
        curate.add(installation, by, text, aliases=["crimson"] if text == "red" else ())
    return by


def test_a_name_is_completed_from_its_beginning_then_from_its_middle(installation, tags):
    assert complete(installation, "RE") == ["red", "Reddish brown", "siren"]
    assert complete(installation, "crim") == ["crimson"]
    assert complete(installation, " ") == []


def test_signs_of_a_pattern_stand_for_themselves(installation, tags):
    assert complete(installation, "%") == []
    assert complete(installation, "_") == []


def test_a_retired_tag_is_not_completed(installation, tags):
    curate.retire(installation, tags, ["red"])
    assert complete(installation, "crim") == []


def test_verdicts_of_a_merged_tag_count_for_the_one_that_stays(installation, archive, tags):
    first, second, _ = archive.videos
    judge(installation, first, [("red", "add")], author="Ada")
    judge(installation, second, [("siren", "reject")], author="Ada")
    curate.merge(installation, tags, ["siren"], "red")
    figures = show_tag(installation, "red").line.figures
    assert (figures.added, figures.rejected, figures.acceptance) == (1, 1, 0.0)


def test_nothing_judged_is_no_acceptance(installation, tags):
    assert show_tag(installation, "red").line.figures.acceptance is None


def test_heat_halves_with_its_half_life(installation, tags, clock):
    with installation.database.write() as connection:
        connection.execute(
            update(schema.tags)
            .where(schema.tags.c.text == "red")
            .values(heat=8.0, heat_at=installation.clock())
        )
    clock.move(hours=installation.settings.topics.half_life_hours)
    assert show_tag(installation, "red").line.heat == pytest.approx(4.0)


def test_a_list_goes_on_where_it_ended(installation, tags):
    seen, after = [], None
    for _ in range(3):
        page = list_tag_page(installation, TagFilter(state="active"), order="name", limit=1, after=after)
        seen += [line.record.text for line in page.lines]
        after = page.next
    assert seen == ["red", "Reddish brown", "siren"]
    assert after is None
    assert page.total == 3
