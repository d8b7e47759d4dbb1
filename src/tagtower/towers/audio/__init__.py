"""Sound of a video into one vector."""

from typing import TypeAlias

from tagtower.towers.audio.encoder import AudioEncoder
from tagtower.towers.audio.networks import NETWORKS
from tagtower.towers.audio.pretrained import PretrainedAudioEncoder

SoundEncoder: TypeAlias = AudioEncoder | PretrainedAudioEncoder

__all__ = ["NETWORKS", "AudioEncoder", "PretrainedAudioEncoder", "SoundEncoder"]
