"""The two towers: encoders by modality, joining over time, fusion, and the model folder."""

from tagtower.towers.build import build_two_tower
from tagtower.towers.distances import DISTANCES
from tagtower.towers.folder import LoadedModel, load_model, save_model
from tagtower.towers.inputs import TextBatch, VideoBatch, VideoFeatures, collate_texts, collate_videos
from tagtower.towers.memory import TagMemory
from tagtower.towers.two_tower import TwoTower, VideoEncoding

__all__ = [
    "DISTANCES",
    "LoadedModel",
    "TagMemory",
    "TextBatch",
    "TwoTower",
    "VideoBatch",
    "VideoEncoding",
    "VideoFeatures",
    "build_two_tower",
    "collate_texts",
    "collate_videos",
    "load_model",
    "save_model",
]
