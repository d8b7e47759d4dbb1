"""Every setting with its unit, default and meaning; how settings are read, merged and explained."""

from tagtower.config.load import check_settings, load_settings, settings_from
from tagtower.config.sections import (
    AudioSettings,
    DistanceSettings,
    FusionSettings,
    ImageSettings,
    LossSettings,
    MediaSettings,
    NegativeSettings,
    PositiveSettings,
    RankingSettings,
    Settings,
    TagSettings,
    TextSettings,
    TrainSettings,
)

__all__ = [
    "AudioSettings",
    "DistanceSettings",
    "FusionSettings",
    "ImageSettings",
    "LossSettings",
    "MediaSettings",
    "NegativeSettings",
    "PositiveSettings",
    "RankingSettings",
    "Settings",
    "TagSettings",
    "TextSettings",
    "TrainSettings",
    "check_settings",
    "load_settings",
    "settings_from",
]
