"""Rows of a library, written straight into the tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

if TYPE_CHECKING:
    from tagtower.library.database import Database

START = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass
class Rows:
    """Writes rows with what they need, and returns their numbers."""

    database: Database
    ticks: int = 0

    def moment(self) -> datetime:
        self.ticks += 1
        return START + timedelta(seconds=self.ticks)

    def _insert(self, table: Any, **values: Any) -> int:
        with self.database.write() as connection:
            key = connection.execute(insert(table).values(values)).inserted_primary_key
        return int(key[0])

    def model(self, state: str = "active", name: str = "m") -> int:
        from tagtower.library import schema

        return self._insert(
            schema.models,
            name=name,
            folder=name,
            fingerprint=name,
            vector_fingerprint=name,
            width=4,
            distance="cosine",
            state=state,
            added_at=START,
        )

    def video(self, title: str | None = None, *, owner: str | None = None, **values: Any) -> int:
        from tagtower.library import schema
        from tagtower.library.videos.words import search_words, stored_words

        at = values.pop("added_at", self.moment())
        with self.database.write() as connection:
            words = stored_words(
                connection, search_words(title, values.get("description"), values.get("subtitles"))
            )
            row = {"title": title, "added_at": at, "shelf": "labelled", "shelved_at": at, "words": words}
            key = connection.execute(insert(schema.videos).values(row | values)).inserted_primary_key[0]
            if owner is not None:
                connection.execute(
                    insert(schema.video_references).values(
                        video_id=key, owner=owner, name=f"n{key}", added_at=at
                    )
                )
        return int(key)

    def tag(self, text: str, *aliases: str, into: int | None = None, **values: Any) -> int:
        from tagtower.library import schema
        from tagtower.library.tags import normalize_tag

        row = {"text": text, "state": "active", "origin": "person", "created_at": START, "suggestable": True}
        if into is not None:
            row |= {"state": "merged", "merged_into": into}
        key = self._insert(schema.tags, **(row | values))
        with self.database.write() as connection:
            for place, name in enumerate((text, *aliases)):
                connection.execute(
                    insert(schema.tag_names).values(
                        key=normalize_tag(name), tag_id=into or key, text=name, place=place
                    )
                )
        return key

    def suggest(self, video: int, model: int, tag: int, **values: Any) -> None:
        from tagtower.library import schema

        row = {"rank": 1, "distance": 0.5, "score": 0.5, "origin": "model", "library_version": 1, "at": START}
        with self.database.write() as connection:
            connection.execute(
                insert(schema.suggestions).values(
                    {"video_id": video, "model_id": model, "tag_id": tag} | row | values
                )
            )

    def say(self, video: int, tag: int, verdict: str, author: str = "ann") -> None:
        from tagtower.library import schema

        with self.database.write() as connection:
            connection.execute(
                insert(schema.verdicts).values(
                    video_id=video, tag_id=tag, verdict=verdict, author=author, at=self.moment()
                )
            )

    def bar(self, video: int, tag: int) -> None:
        from tagtower.library import schema

        with self.database.write() as connection:
            connection.execute(insert(schema.barred).values(video_id=video, tag_id=tag))
