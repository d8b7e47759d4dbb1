"""The model card that training writes into the model folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tagtower.config import Settings
from tagtower.library.tags import TagLibrary
from tagtower.records import Split
from tagtower.towers import TwoTower

TAGS_SHOWN = 20


def model_card(
    tower: TwoTower,
    library: TagLibrary,
    training_tags: Sequence[str],
    validation: Mapping[str, Any],
    ranked: Mapping[str, Any] | None,
    videos: Mapping[Split, int],
) -> str:
    """Return the card as Markdown with the front matter that hubs read."""
    settings = tower.settings
    figures = "\n".join(
        f"| {name} | {value:.3f} |" + ("" if ranked is None else f" {ranked[name]:.3f} |")
        for name, value in validation.items()
        if isinstance(value, float)
    )
    columns = "" if ranked is None else " with the ranker |"
    shown = ", ".join(training_tags[:TAGS_SHOWN]) + (", ..." if len(training_tags) > TAGS_SHOWN else "")
    return f"""---
library_name: tagtower
pipeline_tag: video-classification
tags:
- tagtower
- two-tower
- video-tagging
---

# A TagTower model

It places videos and tags in one space of width {tower.width}; a tag fits a video when their {settings.distance.kind}
distance is small. It ranks tags from any library, also tags that did not occur in training.

```python
from tagtower import TagTower

tower = TagTower.from_pretrained("this folder")
tower.label(["a.mp4"], tags=["football", "interview"], top_k=5)
```

## What it reads

{_reads(settings)}

## Training

{videos["train"]:,} videos, {len(training_tags):,} tags ({shown}), library version {library.version}. Loss
`{settings.loss.name}`, negatives `{settings.negatives.rule}`, seed {settings.train.seed}. The weights are those of the
epoch with the best validation nDCG@10.

## Validation ({videos["val"]:,} videos)

| metric | by distance |{columns}
|---|---|{"" if ranked is None else "---|"}
{figures}

## Limits

The tags of the training data decide what the model can tell apart; a tag far from all of them is ranked by its words
alone. A distance is no probability; scores are, where validation was large enough to fit them. Judge
the model on videos of your own before you rely on it.
"""


def _reads(settings: Settings) -> str:
    lines = []
    image, audio, text = settings.image, settings.audio, settings.text
    if image.encoder != "none":
        taken = {
            "sparse": f"{image.frames} frames a part",
            "dense": f"one of {image.every} frames, at most {image.max_frames}",
            "all": f"all frames, at most {image.max_frames}",
        }
        lines.append(f"- pictures: {taken[image.sampling]}, {image.crop} pixels, encoder `{image.encoder}`")
    if audio.is_pretrained:
        lines.append(f"- sound: at {audio.sample_rate} Hz, encoder `{audio.encoder}`")
    elif audio.is_heard:
        spectra = ", ".join(f"`{name}`" for name in audio.frontend)
        lines.append(f"- sound: {spectra} at {audio.sample_rate} Hz, network `{audio.network}`")
    if text.encoder != "none":
        lines += [
            f"- {field}: up to {text.max_tokens if field == 'title' else text.long_tokens} tokens, encoder "
            f"`{text.encoder}`"
            for field in text.fields
        ]
    return "\n".join(lines)
