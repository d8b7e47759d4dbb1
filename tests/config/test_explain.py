from __future__ import annotations

import pytest

from tagtower.config.explain import all_settings, setting
from tagtower.errors import ConfigError


def test_every_setting_says_what_it_means() -> None:
    for one in all_settings():
        assert len(one.description) > 10, one.key
        assert one.type != "value", one.key


def test_a_setting_shows_its_range_and_choices() -> None:
    assert setting("image.frames").range == ">= 1"
    assert setting("loss.name").type == "triplet | softmax | infonce | sigmoid"
    assert setting("image.depths").is_list


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"loss\.margin"):
        setting("loss.margins")
