"""Files to features: order, failures in their place, what the store spares, and files that lack a modality."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import numpy as np
import pytest

from tagtower.errors import InputError, MediaError, StorageError
from tagtower.features.store import CENTRE, FeatureKey, FeatureStore
from tagtower.media.records import DecodedMedia, DecodeRequest, MediaInfo
from tagtower.pipeline.extract import Extracted, Failed, FeatureExtractor
from tagtower.records import Video
from tagtower.towers import TwoTower, build_two_tower

TITLES = ["a walk in the park", "music at the sea"]
TAGS = ["red", "green", "low", "high"]


class SlowDecoder:
    """Answers the first file last, and holds as many at a time as were in its hands at once."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.most = self.inside = self.started = 0
        self._lock = threading.Lock()

    def decode(self, path: str, request: DecodeRequest) -> DecodedMedia:
        with self._lock:
            self.started += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
            first = self.started == 1
        time.sleep(0.2 if first else 0.01)
        with self._lock:
            self.inside -= 1
        info = MediaInfo(path, 1.0, 64, 48, 0, 10.0, "h264", None, None, None, True, False)
        return DecodedMedia(info)


def extractor(tower: TwoTower, decoder, store, **options: bool) -> FeatureExtractor:
    return FeatureExtractor(tower, tower.settings, decoder, store, **options)


def video(job, name: str, title: str | None = None) -> Video:
    return Video(name, str(job.clips[name]), title)


def test_features_come_in_the_order_of_the_videos_and_failures_take_their_place(job, towers, decoder, store):
    names = ["red-low", "missing", "low", "damaged", "green"]
    found = list(
        extractor(towers["image audio text"], decoder, store).extract(video(job, name) for name in names)
    )
    assert [one.video.id for one in found] == names
    assert [type(one) for one in found] == [Extracted, Failed, Extracted, Failed, Extracted]
    present = {one.video.id: one.features[0].present for one in found if isinstance(one, Extracted)}
    assert present == {"red-low": ("image", "audio"), "low": ("audio",), "green": ("image",)}
    causes = [one.error.cause for one in found if isinstance(one, Failed)]
    assert causes == ["missing", "not-media"]


def test_a_slow_file_holds_back_those_behind_it_and_not_the_decoder(towers, store, tmp_path):
    paths = [tmp_path / f"{number}.mp4" for number in range(12)]
    for path in paths:
        path.write_bytes(path.name.encode())
    slow = SlowDecoder(workers=3)
    videos = (Video(path.stem, str(path), "a walk") for path in paths)
    found = list(extractor(towers["image audio text"], slow, store).extract(videos))
    assert [one.video.id for one in found] == [str(number) for number in range(12)]
    assert slow.most == 3


def test_little_is_decoded_ahead_of_a_consumer_that_stops(towers, store, tmp_path):
    paths = [tmp_path / f"{number}.mp4" for number in range(40)]
    for path in paths:
        path.write_bytes(path.name.encode())
    slow = SlowDecoder(workers=2)
    stream = extractor(towers["image audio text"], slow, store).extract(
        Video(path.stem, str(path), "a walk") for path in paths
    )
    next(stream)
    stream.close()
    assert slow.started <= 2 * slow.workers + 1


def test_what_is_in_the_store_is_not_decoded_again(job, towers, decoder, store):
    tower = towers["image audio text"]
    videos = [video(job, name, "a walk") for name in ("red-low", "green", "low")]
    first = list(extractor(tower, decoder, store).extract(videos))
    assert len(decoder.requests) == 3
    decoder.requests.clear()
    again = list(extractor(tower, decoder, store).extract(videos))
    assert decoder.requests == []
    for one, other in zip(first, again, strict=True):
        for part in ("image", "audio", "text"):
            np.testing.assert_array_equal(getattr(one.features[0], part), getattr(other.features[0], part))


def test_a_copy_of_a_file_is_found_in_the_store(job, towers, decoder, store, tmp_path):
    tower = towers["image audio text"]
    list(extractor(tower, decoder, store).extract([video(job, "red-low")]))
    copy = tmp_path / "another name.mp4"
    copy.write_bytes(job.clips["red-low"].read_bytes())
    list(extractor(tower, decoder, store).extract([Video("copy", str(copy))]))
    assert len(decoder.requests) == 1


def test_frames_for_a_trained_backbone_are_kept_only_on_request(job, towers, decoder, store):
    tower = towers["image audio text"]
    list(extractor(tower, decoder, store, keep_frames=False).extract([video(job, "red-low")]))
    assert store.size().entries == 1  # the sound
    decoder.requests.clear()
    list(extractor(tower, decoder, store, keep_frames=False).extract([video(job, "red-low")]))
    (request,) = (request for _, request in decoder.requests)
    assert request.frames is not None
    assert request.sound is None


def test_a_waveform_for_a_trained_backbone_is_kept_only_on_request(job, sound_folders, decoder, store):
    settings = job.settings(
        "image.encoder=none", f"audio.encoder={sound_folders['wav2vec2']}", "train.backbones=finetune"
    )
    tower = build_two_tower(settings, TITLES, TAGS).eval()
    for keep, entries in ((False, 0), (True, 1)):
        (found,) = extractor(tower, decoder, store, keep_frames=keep).extract([video(job, "red-low")])
        assert found.features[0].audio.shape[1] == 320
        assert store.size().entries == entries


def test_a_frozen_sound_network_is_run_once_for_a_file(job, sound_folders, decoder, store, monkeypatch):
    settings = job.settings("image.encoder=none", f"audio.encoder={sound_folders['wav2vec2']}")
    tower = build_two_tower(settings, TITLES, TAGS).eval()
    (found,) = extractor(tower, decoder, store, keep_frames=False).extract([video(job, "red-low")])
    assert found.features[0].audio.shape == (1, 16)
    monkeypatch.setattr(tower, "sound_features", lambda waveform: pytest.fail("the backbone ran again"))
    (again,) = extractor(tower, decoder, store, keep_frames=False).extract([video(job, "red-low")])
    np.testing.assert_array_equal(again.features[0].audio, found.features[0].audio)


def test_draws_come_with_one_opening_and_are_stored_each(job, towers, decoder, store):
    tower = towers["image"]
    draws = (CENTRE, 0, 1)
    (one,) = extractor(tower, decoder, store).extract([video(job, "red-low")], draws)
    assert len(one.features) == len(one.keys) == 3
    assert [keys["image"].draw for keys in one.keys] == [-1, 0, 1]
    assert len(decoder.requests) == 1
    decoder.requests.clear()
    (only,) = extractor(tower, decoder, store).extract([video(job, "red-low")], (1,))
    assert decoder.requests == []
    np.testing.assert_array_equal(only.features[0].image, one.features[2].image)


def test_a_draw_that_is_not_stored_is_decoded_alone(job, towers, decoder, store):
    tower = towers["image"]
    (centre,) = extractor(tower, decoder, store).extract([video(job, "red-low")])
    decoder.requests.clear()
    (both,) = extractor(tower, decoder, store).extract([video(job, "red-low")], (CENTRE, 0))
    assert [request.frames.draws for _, request in decoder.requests] == [(0,)]
    np.testing.assert_array_equal(both.features[0].image, centre.features[0].image)


def test_models_with_other_sampling_do_not_share_what_is_stored(job, towers, decoder, store):
    list(extractor(towers["image"], decoder, store).extract([video(job, "red-low")]))
    other = build_two_tower(
        job.settings("audio.frontend=none", "text.encoder=none", "image.frames=3"), TITLES, TAGS
    )
    (one,) = extractor(other, decoder, store).extract([video(job, "red-low")])
    assert len(one.features[0].image) == 3
    assert len(decoder.requests) == 2


@pytest.mark.parametrize(("sampling", "counts"), [("dense", {3, 4}), ("all", {10})])
def test_frames_are_counted_where_the_settings_say_so(job, decoder, store, sampling, counts):
    settings = job.settings(
        "audio.frontend=none", "text.encoder=none", f"image.sampling={sampling}", "image.every=3"
    )
    tower = build_two_tower(settings, TITLES, TAGS)
    (one,) = extractor(tower, decoder, store).extract([video(job, "red-low")], (CENTRE, 0, 1))
    assert {len(features.image) for features in one.features} <= counts
    decoder.requests.clear()
    (again,) = extractor(tower, decoder, store).extract([video(job, "red-low")], (CENTRE, 0, 1))
    assert decoder.requests == []
    for first, second in zip(one.features, again.features, strict=True):
        np.testing.assert_array_equal(first.image, second.image)


def test_it_is_known_when_the_centre_frames_are_shown(job, towers, decoder, store):
    tower = towers["image audio text"]
    (fresh,) = extractor(tower, decoder, store).extract([video(job, "red-low")], (CENTRE, 0))
    (_, request) = decoder.requests[0]
    media = decoder.decode(str(job.clips["red-low"]), request)
    np.testing.assert_array_equal(fresh.frame_seconds, media.frames[0].seconds)
    decoder.requests.clear()
    (stored,) = extractor(tower, decoder, store).extract([video(job, "red-low")])
    assert decoder.requests == []
    np.testing.assert_array_equal(stored.frame_seconds, fresh.frame_seconds)
    (silent,) = extractor(tower, decoder, store).extract([video(job, "low")])
    assert silent.frame_seconds is None


def test_where_only_the_seconds_are_missing_the_backbone_does_not_run(
    job, decoder, store, resnet_folder, monkeypatch
):
    tower = build_two_tower(job.settings(f"image.encoder={resnet_folder}"), TITLES, TAGS).eval()
    (whole,) = extractor(tower, decoder, store).extract([video(job, "red-low")])
    kept = {**whole.keys[0]}
    with FeatureStore.temporary() as other:
        other.put_many({key: store.get(key) for key in kept.values()})
        monkeypatch.setattr(tower, "frame_features", lambda frames: pytest.fail("the backbone ran again"))
        (again,) = extractor(tower, decoder, other).extract([video(job, "red-low")])
    np.testing.assert_array_equal(again.frame_seconds, whole.frame_seconds)
    np.testing.assert_array_equal(again.features[0].image, whole.features[0].image)


def test_titles_need_no_decoder(towers, decoder, store):
    videos = [
        Video("a", None, "a walk"),
        Video("b", None, "  "),
        Video("c", None, None),
        Video("d", None, "x"),
    ]
    found = list(extractor(towers["text"], decoder, store).extract(videos))
    assert [type(one) for one in found] == [Extracted, Failed, Failed, Extracted]
    assert decoder.requests == []
    with pytest.raises(InputError, match=r"b: has none of what this model reads \(a title\)"):
        raise found[1].error


def test_a_model_of_titles_does_not_open_the_file(job, towers, decoder, store):
    (one,) = extractor(towers["text"], decoder, store).extract([video(job, "missing", "a walk")])
    assert isinstance(one, Extracted)
    assert decoder.requests == []


def test_more_titles_than_are_read_ahead_keep_their_order(towers, decoder, store):
    videos = [Video(str(number), None, f"walk {number}") for number in range(600)]
    found = list(extractor(towers["text"], decoder, store).extract(videos))
    assert [one.video.id for one in found] == [str(number) for number in range(600)]
    expected = towers["text"].title_features(["walk 599"])[0]
    np.testing.assert_array_equal(found[599].features[0].text, expected)


def test_a_silent_video_with_a_title_is_known_by_its_title(job, towers, decoder, store):
    (one,) = extractor(towers["audio text"], decoder, store).extract([video(job, "green", "a walk")])
    assert isinstance(one, Extracted)
    assert one.features[0].present == ("text",)
    assert one.warnings


def test_a_silent_video_without_a_title_has_nothing_for_a_model_of_sounds(job, towers, decoder, store):
    (one,) = extractor(towers["audio text"], decoder, store).extract([video(job, "green")])
    assert isinstance(one, Failed)
    assert isinstance(one.error, MediaError)
    assert one.error.cause == "no-streams"


def test_a_missing_file_is_a_failure_whatever_its_title(job, towers, decoder, store):
    (one,) = extractor(towers["image audio text"], decoder, store).extract([video(job, "missing", "a walk")])
    assert isinstance(one, Failed)


def test_sound_that_another_model_stored_serves_a_model_that_also_wants_pictures(job, towers, decoder, store):
    list(extractor(towers["audio"], decoder, store).extract([video(job, "low")]))
    (one,) = extractor(towers["image audio"], decoder, store).extract([video(job, "low")])
    assert isinstance(one, Extracted)
    assert one.features[0].present == ("audio",)


def test_a_full_disk_ends_the_work_and_is_no_failure_of_a_video(job, towers, decoder, store, monkeypatch):
    def full(arrays: Mapping[FeatureKey, np.ndarray]) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(store, "put_many", full)
    with pytest.raises(StorageError, match="full"):
        list(extractor(towers["image"], decoder, store).extract([video(job, "red-low")]))


def test_features_are_those_of_the_decoded_media(job, towers, decoder, store):
    tower = towers["image audio text"]
    (one,) = extractor(tower, decoder, store).extract([video(job, "red-low", "a walk")])
    _, request = decoder.requests[0]
    media = decoder.decode(str(job.clips["red-low"]), request)
    np.testing.assert_array_equal(one.features[0].image, media.frames[0].frames)
    np.testing.assert_array_equal(one.features[0].audio, tower.sound_features(media.sound.waveform))
    red = one.features[0].image.reshape(-1, 3).mean(axis=0)
    assert red[0] > 150 > 80 > red[1:].max()


def test_a_frozen_backbone_is_run_once_for_a_file(job, decoder, store, resnet_folder, monkeypatch):
    tower = build_two_tower(job.settings(f"image.encoder={resnet_folder}"), TITLES, TAGS).eval()
    found = list(extractor(tower, decoder, store, keep_frames=False).extract([video(job, "red-low")]))
    assert found[0].features[0].image.shape == (2, 16)
    monkeypatch.setattr(tower, "frame_features", lambda frames: pytest.fail("the backbone ran again"))
    again = list(extractor(tower, decoder, store, keep_frames=False).extract([video(job, "red-low")]))
    np.testing.assert_array_equal(again[0].features[0].image, found[0].features[0].image)
