"""Sound of a video into one vector."""

from tagtower.towers.audio.encoder import AudioEncoder
from tagtower.towers.audio.networks import NETWORKS

__all__ = ["NETWORKS", "AudioEncoder"]
