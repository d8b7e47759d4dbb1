"""The pages of models and of health."""

from __future__ import annotations

from tagtower.usecases.installation import models
from tagtower.usecases.installation.find import show_video


def active(installation) -> str:
    return next(one.model.name for one in models.status(installation) if one.model.state == "active")


def test_a_model_is_promoted_and_rolled_back(filled, browse):
    browser = browse("admin")
    assert "second is active now." in browser.post("/models/promote", name="second").text
    assert active(filled) == "second"
    browser.post("/models/roll-back", part=False)
    assert (
        active(filled) == "second"
    )  # the first has not seen the videos, and nobody said that this does not matter
    assert "has not seen" in browser.post("/models/promote", name="first", back="/models").text
    browser.post("/models/promote", name="first", force="true")
    assert active(filled) == "first"


def test_two_models_are_held_side_by_side_on_the_verdicts(filled, browse):
    browser = browse("editor")
    browser.post("/review/1/verdict", part=True, tag="siren", verdict="accept")
    browser.post("/review/1/verdict", part=True, tag="red", verdict="reject")
    text = browser.get("/models").text
    assert "1 video with verdicts that both have seen" in text
    row = text.split(">Precision<")[1].split("</tr>")[0]
    assert "50.0 %" in row
    assert "<strong>100.0 %</strong>" in row


def test_a_model_that_there_is_not_is_compared_with_nothing(filled, browse):
    assert browse().get("/models?first=nosuch&second=second").status_code == 200


def test_failures_stand_there_by_reason_and_are_tried_again(filled, browse):
    browser = browse()
    assert "damaged" in browser.get("/health").text
    browser.post("/health/retry", kind="timeout")
    assert show_video(filled, 4).video.shelf == "failed"
    browser.post("/health/retry", kind="damaged")
    assert show_video(filled, 4).video.shelf == "unlabelled"


def test_videos_that_wait_without_a_worker_are_an_alarm(filled, browse):
    assert "no worker is running" in browse().get("/health").text
