"""Judging tags on the page of a video, and going from one to the next."""

from __future__ import annotations

import re

from tagtower.usecases.installation.reviewing import review_video


def standings(installation, video_id: int) -> dict[str, str]:
    return {one.tag: one.standing for one in review_video(installation, video_id).tags}


def test_a_verdict_is_kept_under_the_name_of_the_key(filled, browse):
    browser = browse()
    answer = browser.post("/review/1/verdict", part=True, tag="#1", verdict="accept")
    assert "red accepted" in answer.text
    assert "<html" not in answer.text
    red = next(one for one in review_video(filled, 1).tags if one.tag == "red")
    assert (red.standing, red.author) == ("accepted", "editor 1")


def test_a_verdict_can_be_undone(filled, browse):
    browser = browse()
    browser.post("/review/1/verdict", part=True, tag="#1", verdict="accept")
    browser.post("/review/1/verdict", part=True, tag="#1", verdict="reject")
    browser.post("/review/1/undo", part=True, tag="#1", before="accept")
    assert standings(filled, 1)["red"] == "accepted"
    browser.post("/review/1/undo", part=True, tag="#1", before="")
    assert standings(filled, 1)["red"] == "open"


def test_a_rejected_tag_stays_on_the_page(filled, browse):
    browser = browse()
    answer = browser.post("/review/1/verdict", part=True, tag="#1", verdict="reject")
    assert re.search(r'class="tagrow rejected"[^>]*aria-label="red, rejected', answer.text)


def test_a_tag_is_added_by_any_of_its_names(filled, browse):
    browser = browse()
    browser.post("/review/2/verdict", part=True, tag="SIREN  too", verdict="accept")
    assert standings(filled, 2)["siren"] == "added"


def test_a_tag_that_is_not_there_is_said_to_be_not_there(filled, browse):
    answer = browse().post("/review/2/verdict", part=True, tag="<b>no</b>", verdict="accept")
    assert "There is no tag" in answer.text
    assert "<b>no" not in answer.text


def test_without_scripts_a_verdict_leads_back_to_the_page(filled, browse):
    answer = browse().post("/review/1/verdict", tag="#1", verdict="accept", back="/videos/1")
    assert answer.url.path == "/videos/1"
    assert "red: accepted." in answer.text


def test_a_form_leads_to_no_other_site(filled, browse):
    answer = browse().post("/review/1/verdict", tag="#1", verdict="accept", back="//evil.example/")
    assert answer.url.host == "localhost"


def test_the_most_doubtful_video_comes_first_and_next_leads_on(filled, browse):
    browser = browse()
    first = browser.get("/review").text
    assert "/review/1/verdict" in first
    following = re.search(r'data-next href="([^"]+)"', first)[1]
    second = browser.get(following).text
    assert "/review/2/verdict" in second
    last = browser.get(re.search(r'data-next href="([^"]+)"', second)[1]).text
    assert "You have been through the queue" in last


def test_the_next_video_is_loaded_ahead(filled, browse):
    assert re.search(
        r'<video hidden muted preload="auto"[^>]*src="/v1/videos/2/media"', browse().get("/review").text
    )


def test_a_skip_that_is_no_list_of_numbers_is_passed_over(filled, browse):
    assert browse().get("/review?skip=1,x,,99999999999999999999999,²").status_code == 200


def test_the_evidence_says_which_modality_and_leads_to_the_second(filled, browse):
    text = browse().get("/review/1").text
    assert 'data-seek="1.5"' in text
    assert "picture<" in text
    assert "sound" not in text.split("tagrows")[1].split("acts")[0]  # what speaks against it is not shown
    assert 'href="/videos/1">like video 1' in text


def test_names_are_completed_from_their_beginning(filled, browse):
    text = browse().part("/tags/complete?tag=red,si").text
    assert '<option value="siren">' in text
    assert "red" not in text


def test_a_tag_is_barred_from_one_video_and_the_bar_undone(filled, browse):
    browser = browse()
    barred = browser.post("/review/1/bar", part=True, tag="#2")
    assert "<html" not in barred.text
    assert "siren" not in standings(filled, 1)
    assert [one.tag for one in review_video(filled, 1).barred] == ["siren"]
    assert "Never suggested here" in barred.text
    version = re.search(r'name="version" value="(\d+)"', barred.text)[1]
    undone = browser.post("/review/1/bar/undo", part=True, version=version)
    assert "Never suggested here" not in undone.text
    assert standings(filled, 1)["siren"] == "open"


def test_a_barred_tag_is_let_in_again_from_the_page_of_the_video(filled, browse):
    browser = browse()
    browser.get("/videos/1")
    answer = browser.post("/review/1/bar", tag="#2")
    assert answer.url.path == "/videos/1"
    assert "Never suggested here" in answer.text
    browser.post("/review/1/bar", tag="#2", lift="true")
    assert standings(filled, 1)["siren"] == "open"
    assert review_video(filled, 1).barred == ()


def test_what_a_person_accepted_is_not_offered_to_be_barred(filled, browse):
    answer = browse().post("/review/1/verdict", part=True, tag="#1", verdict="accept")
    assert "Never suggest red here" not in answer.text
    assert "Never suggest siren here" in answer.text
