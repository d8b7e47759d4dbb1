"""The tables of an installation: tags and their changes, videos on their shelves, verdicts, vectors, models.

One schema serves SQLite and PostgreSQL. What a person decided (tags, verdicts) is never overwritten by what a model
says: suggestions belong to a model, and which model is active is one row of `models`.

Merging and retiring tags rewrite no suggestion and no verdict. These stay with the tag they were given to, and are
read through `tags.merged_into` and `tags.state`; so a change of the tag library costs the same whatever the number of
videos, and its undo brings back exactly what was there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, final

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the key is a plain INTEGER."""

Json = JSON().with_variant(JSONB, "postgresql")
Embedding = VECTOR().with_variant(LargeBinary, "sqlite")
SearchWords = TSVECTOR().with_variant(Text, "sqlite")


@final
class Instant(TypeDecorator[datetime]):
    """A moment in UTC; SQLite, which knows no zones, keeps it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what is stored; a time without a zone is refused, because nobody can tell which was meant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return a moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _ref(target: str, *, cascade: bool = False, **more: Any) -> Column[Any]:
    name = more.pop("name")
    key = ForeignKey(target, ondelete="CASCADE" if cascade else None)
    return Column(name, Id, key, **more)


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


# Facts about the installation itself: its id, when it was made, and the like.
facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Json, nullable=False),
)

# --- the tag library ---------------------------------------------------------------------------------------------

tags = Table(
    "tags",
    metadata,
    Column("id", Id, primary_key=True),
    Column("text", Text, nullable=False),  # as its owner wrote it; its folded form is a row of `tag_names`
    Column("description", Text),
    Column("language", String(35)),  # BCP 47
    Column("state", String(12), nullable=False, index=True),
    _ref("tags.id", name="merged_into", index=True),  # always a tag that is not merged itself
    Column("origin", Text, nullable=False),  # `person`, `import`, or `feed:ID`
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("heat", Float, nullable=False, default=0.0),  # at `heat_at`; it halves with time
    Column("heat_at", Instant),
    Column("suggestable", Boolean, nullable=False, default=True),
    Column("threshold", Float),  # a person's, in [0, 1], in place of the calibrated one
    # The last change that touched it; the heat, which cools with every minute, is no part of changes.
    Column("version", BigInteger, nullable=False, default=0, index=True),
    # A removed tag is one whose addition was undone: its number stays taken, and it has no name any more.
    _one_of("state", "active", "retired", "quarantined", "merged", "removed"),
    sqlite_autoincrement=True,
)

# Every name and alias of every tag that is not merged: two tags can never share one.
tag_names = Table(
    "tag_names",
    metadata,
    Column("key", Text, primary_key=True),  # normalize_tag(text)
    _ref("tags.id", name="tag_id", cascade=True, nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("place", Integer, nullable=False),  # 0 is the tag's own name, aliases follow
)

tag_groups = Table(
    "tag_groups",
    metadata,
    Column("name", Text, primary_key=True),
    _ref("tags.id", name="tag_id", cascade=True, primary_key=True),
)

# The history of the library. A version is the number of the change that made it.
changes = Table(
    "changes",
    metadata,
    Column("version", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("author", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("summary", Text, nullable=False),
    Column(
        "detail", Json
    ),  # what no tag's record tells: which video was barred, the tags that an import made
    _ref("changes.version", name="undoes", unique=True),
    sqlite_autoincrement=True,
)

# The tags that a change touched, as they were and as it left them; none where there was, or is, no such tag. The tags
# that an import made are not listed: they are ranges of numbers in its detail.
changed_tags = Table(
    "changed_tags",
    metadata,
    _ref("changes.version", name="version", cascade=True, primary_key=True),
    _ref("tags.id", name="tag_id", cascade=True, primary_key=True),
    Column("before", Json),
    Column("after", Json),
    Index("ix_changed_tags_tag", "tag_id", "version"),
)

# --- the video library -------------------------------------------------------------------------------------------

videos = Table(
    "videos",
    metadata,
    Column("id", Id, primary_key=True),
    Column("content_hash", String(64), unique=True),  # SHA-256 of the media; none where there are only words
    Column("media", Text),  # a key of the media store, or a URI where `stored` is false
    Column("stored", Boolean, nullable=False, default=False),
    Column("bytes", BigInteger),
    Column("facts", Json),  # of the media: seconds, width, height, frame rate, sound
    Column("title", Text),
    Column("description", Text),
    Column("subtitles", Text),
    Column("published_at", Instant),
    Column("added_at", Instant, nullable=False),
    Column("shelf", String(12), nullable=False),
    Column("shelved_at", Instant, nullable=False),  # when it came to this shelf
    Column("attempts", Integer, nullable=False, default=0),
    Column("not_before", Instant),  # after a failure, when to try again
    Column("lease_token", String(32)),
    Column("lease_worker", Text),
    Column("lease_until", Instant),
    Column("error", Json),  # {"type", "message", "hint"} of the last failure
    # What search finds it by, see `library.videos.words`; the last column, so that a list of videos never reads it.
    Column("words", SearchWords),
    _one_of("shelf", "unlabelled", "labelled", "failed"),
    Index("ix_videos_shelf", "shelf", "id"),
    Index("ix_videos_queue", "shelf", "not_before", "id"),
    Index("ix_videos_shelved", "shelf", "shelved_at", "id"),
    Index("ix_videos_added", "added_at", "id"),
    sqlite_autoincrement=True,  # the number of an erased video is never given again
)
# The index of `words` is another on each engine, and stands in the migration alone: on SQLite the FTS5 table
# `video_words`, which triggers keep in step, on PostgreSQL a GIN index.

# Who handed a video in, and under which name; the same file twice is one video with two references.
video_references = Table(
    "video_references",
    metadata,
    Column("id", Id, primary_key=True),
    _ref("videos.id", name="video_id", cascade=True, nullable=False, index=True),
    Column("owner", Text, nullable=False, default=""),
    Column("name", Text, nullable=False),  # the owner's own id, file name or URI
    Column("title", Text),
    Column("added_at", Instant, nullable=False),
    UniqueConstraint("owner", "name"),
    Index("ix_video_references_owner", "owner", "video_id"),
)

suggestions = Table(
    "suggestions",
    metadata,
    _ref("videos.id", name="video_id", cascade=True, primary_key=True),
    _ref("models.id", name="model_id", cascade=True, primary_key=True),
    _ref("tags.id", name="tag_id", cascade=True, primary_key=True),
    Column("rank", Integer, nullable=False),  # from 1, among those of the same video, model and origin
    Column("distance", Float, nullable=False),
    Column("score", Float),  # a calibrated probability in [0, 1]
    Column("origin", String(8), nullable=False),
    Column("evidence", Json),
    Column("library_version", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    _one_of("origin", "model", "retro"),
    Index("ix_suggestions_tag", "tag_id", "model_id", "video_id"),
)

# That a model has looked at a video, with which tag library, also where it had no tag to suggest.
answers = Table(
    "answers",
    metadata,
    _ref("videos.id", name="video_id", cascade=True, primary_key=True),
    _ref("models.id", name="model_id", cascade=True, primary_key=True),
    Column("library_version", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("modalities", Json),  # the gate's weights, in [0, 1], by modality
    Column("warnings", Json),  # what was odd about the media
    Index("ix_answers_version", "model_id", "library_version"),
)

# What persons said: the last word on each tag of each video. It outlives models, merges and retirements.
verdicts = Table(
    "verdicts",
    metadata,
    _ref("videos.id", name="video_id", cascade=True, primary_key=True),
    _ref("tags.id", name="tag_id", cascade=True, primary_key=True),
    Column("verdict", String(8), nullable=False),
    Column("author", Text, nullable=False),
    Column("at", Instant, nullable=False),
    _ref("models.id", name="model_id"),  # whose suggestion was judged, if it was one
    Column("score", Float),
    Column("distance", Float),
    _one_of("verdict", "accept", "reject", "add"),
    Index("ix_verdicts_tag", "tag_id", "video_id"),
    Index("ix_verdicts_at", "at"),
)

# Tags that are never to be suggested on one video. (Never at all: `tags.suggestable`.)
barred = Table(
    "barred",
    metadata,
    _ref("videos.id", name="video_id", cascade=True, primary_key=True),
    _ref("tags.id", name="tag_id", cascade=True, primary_key=True),
)

# --- models and their vectors ------------------------------------------------------------------------------------

models = Table(
    "models",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("folder", Text, nullable=False),  # below the installation's folder of models
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("vector_fingerprint", String(64), nullable=False),
    Column("width", Integer, nullable=False),
    Column("distance", String(12), nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("metrics", Json),
    Column("added_at", Instant, nullable=False),
    Column("promoted_at", Instant),
    _ref("models.id", name="replaced"),  # the active one at its promotion: where a roll-back leads
    _one_of("state", "building", "ready", "active", "retired"),
    _one_of("distance", "cosine", "euclidean", "hamming"),
    Index(
        "uq_models_active",  # there is never more than one
        "state",
        unique=True,
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
    sqlite_autoincrement=True,
)

# The segment files that hold vectors where the database does not: what lies beyond `rows` was never committed.
segments = Table(
    "segments",
    metadata,
    Column("vector_fingerprint", String(64), primary_key=True),
    Column("segment", Integer, primary_key=True),
    Column("rows", Integer, nullable=False),  # appended so far; a row is never given twice
    Column("gone", Integer, nullable=False, default=0),  # of these, rows that are no vector any more
    Column("unwiped", Integer, nullable=False, default=0),  # of these, at most so many are still in the file
)

# The vector of each video under each model: on SQLite a row of a segment file, on PostgreSQL the vector itself.
vectors = Table(
    "vectors",
    metadata,
    _ref("models.id", name="model_id", cascade=True, primary_key=True),
    _ref("videos.id", name="video_id", cascade=True, primary_key=True),
    Column("segment", Integer),
    Column("row", Integer),
    Column("embedding", Embedding),
    Index("ix_vectors_segment", "model_id", "segment", "row", unique=True),
)

# Vectors of single frames, of the active model or one being built: float32 seconds and float16 vectors, both raw.
frame_vectors = Table(
    "frame_vectors",
    metadata,
    _ref("models.id", name="model_id", cascade=True, primary_key=True),
    _ref("videos.id", name="video_id", cascade=True, primary_key=True),
    Column("seconds", LargeBinary, nullable=False),
    Column("vectors", LargeBinary, nullable=False),
)

# Work on a model that is being built: the leases on videos that have no vector of it yet, and failures.
builds = Table(
    "builds",
    metadata,
    _ref("models.id", name="model_id", cascade=True, primary_key=True),
    _ref("videos.id", name="video_id", cascade=True, primary_key=True),
    Column("attempts", Integer, nullable=False, default=0),
    Column("not_before", Instant),
    Column("lease_token", String(32)),
    Column("lease_worker", Text),
    Column("lease_until", Instant),
    Column("error", Json),
)

# Sweeps that a changed tag library asks of the workers: the tags whose stored videos are to be found.
sweeps = Table(
    "sweeps",
    metadata,
    _ref("tags.id", name="tag_id", cascade=True, primary_key=True),
    _ref("models.id", name="model_id", cascade=True, primary_key=True),
    Column("asked_at", Instant, nullable=False),
    Column("lease_token", String(32)),
    Column("lease_until", Instant),
    Column("done_at", Instant),
    Column("hits", Integer),
)

workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),  # host, process and a random part
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("stopped_at", Instant),
    Column("done", Integer, nullable=False, default=0),
    Column("failed", Integer, nullable=False, default=0),
)

# --- hot topics --------------------------------------------------------------------------------------------------

feeds = Table(
    "feeds",
    metadata,
    Column("id", Id, primary_key=True),
    Column("url", Text, nullable=False, unique=True),
    Column("kind", String(8), nullable=False),
    Column("state", String(8), nullable=False),
    Column("policy", String(12), nullable=False),
    Column("allow_private", Boolean, nullable=False, default=False),
    Column("every_seconds", Integer, nullable=False),
    Column("keep_seconds", Integer, nullable=False),  # how long a topic lives after it was last hot
    Column("etag", Text),
    Column("modified", Text),
    Column("polled_at", Instant),
    Column("next_at", Instant, nullable=False),
    Column("lease_token", String(32)),
    Column("lease_until", Instant),
    Column("failures", Integer, nullable=False, default=0),
    Column("error", Text),
    _one_of("kind", "auto", "rss", "json", "csv"),
    _one_of("state", "active", "paused"),
    _one_of("policy", "quarantine", "approve"),
    sqlite_autoincrement=True,  # its number stands in the origin of tags, so it is never given again
)

# Entries that were read already, by a hash of what names them.
feed_entries = Table(
    "feed_entries",
    metadata,
    _ref("feeds.id", name="feed_id", cascade=True, primary_key=True),
    Column("entry", String(64), primary_key=True),
    Column("seen_at", Instant, nullable=False, index=True),
)

# How many entries of an hour held a phrase: the past that a burst is measured against.
feed_phrases = Table(
    "feed_phrases",
    metadata,
    _ref("feeds.id", name="feed_id", cascade=True, primary_key=True),
    Column("hour", Integer, primary_key=True),  # hours since 1970
    Column("phrase", Text, primary_key=True),  # normalized; "" counts all entries of the hour
    Column("text", Text, nullable=False),
    Column("entries", Integer, nullable=False),
)

# --- the server ---------------------------------------------------------------------------------------------------

# Who may ask the server for what. Of a key only its hash is kept.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", String(8), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),  # SHA-256 of the key
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    _one_of("role", "terminal", "editor", "admin"),
    sqlite_autoincrement=True,  # a session that names a key can never mean another one
)

# Files on their way in; how much of one has come is the size of its file.
uploads = Table(
    "uploads",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("principal", Text, nullable=False),  # who began it; nobody else goes on with it
    Column("length", BigInteger),  # bytes, where it was announced
    Column("started_at", Instant, nullable=False),
    Column("touched_at", Instant, nullable=False, index=True),
    _ref("videos.id", name="video_id", cascade=True, index=True),  # once it is complete
    Column("result", Json),  # what was answered then
)

# Answers to requests that carried an idempotency key, so that the same request again gets the same answer.
replies = Table(
    "replies",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("request", String(64), nullable=False),  # a hash of what was asked
    Column("at", Instant, nullable=False, index=True),
    Column("status", Integer),  # none while it is worked on
    Column("body", Json),
    Column("headers", Json),
    _ref("videos.id", name="video_id", cascade=True, index=True),
)

# What happened, for those who wait for it. An event is written in the transaction of what it tells of.
events = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("kind", String(24), nullable=False),
    Column("data", Json, nullable=False),
    _ref("videos.id", name="video_id", cascade=True, index=True),
    sqlite_autoincrement=True,
)

# Addresses that events are sent to, one after the other.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("url", Text, nullable=False, unique=True),
    Column("secret", Text, nullable=False),  # signs what is sent, so the hash of it would not do
    Column("kinds", Json, nullable=False),  # an empty list means all
    Column("allow_private", Boolean, nullable=False, default=False),
    Column("created_at", Instant, nullable=False),
    Column("sent", BigInteger, nullable=False),  # the last event that was delivered or passed over
    Column("not_before", Instant),
    Column("lease_until", Instant),
    Column("failures", Integer, nullable=False, default=0),  # in a row
    Column("error", Text),
    sqlite_autoincrement=True,
)

# Videos whose rows are gone already and whose files are being removed: what is left to do if the program is killed.
erasing = Table(
    "erasing",
    metadata,
    Column("id", Id, primary_key=True),
    Column("video_id", BigInteger, nullable=False),
    Column("whole", Boolean, nullable=False),  # or only an owner's name of it, and what that brought
    Column("content_hash", String(64), index=True),
    Column("features", Json, nullable=False),  # hashes of its texts, by which the feature store knows them
    Column("removed", Json, nullable=False),  # counts by kind, so far
    Column("author", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("wiped_at", Instant),  # when the files were gone; the hashes above are forgotten then
)

# Proofs that something was erased; they hold no personal data.
erasures = Table(
    "erasures",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("author", Text, nullable=False),
    Column("video_id", BigInteger, nullable=False),
    Column("removed", Json, nullable=False),  # counts by kind
)
