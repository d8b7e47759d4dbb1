"""The first schema: tag library, video library, models with their vectors, workers, hot topics."""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import VECTOR
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
instant = sa.DateTime(timezone=True)
document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
embedding = VECTOR().with_variant(sa.LargeBinary(), "sqlite")
search_words = postgresql.TSVECTOR().with_variant(sa.Text(), "sqlite")

# The words come folded and parted by blanks, so the tokenizer has nothing to decide; no positions are kept, since
# nobody searches for phrases. `prefix` makes the beginnings of words that match most videos as fast as whole words.
SQLITE_SEARCH = (
    "CREATE VIRTUAL TABLE video_words USING fts5(words, content='videos', content_rowid='id', "
    "tokenize='ascii', detail='none', columnsize=0, prefix='1 2 3')",
    "CREATE TRIGGER video_words_insert AFTER INSERT ON videos WHEN new.words IS NOT NULL BEGIN "
    "INSERT INTO video_words (rowid, words) VALUES (new.id, new.words); END",
    "CREATE TRIGGER video_words_delete AFTER DELETE ON videos WHEN old.words IS NOT NULL BEGIN "
    "INSERT INTO video_words (video_words, rowid, words) VALUES ('delete', old.id, old.words); END",
    "CREATE TRIGGER video_words_update AFTER UPDATE OF words ON videos BEGIN "
    "INSERT INTO video_words (video_words, rowid, words) "
    "SELECT 'delete', old.id, old.words WHERE old.words IS NOT NULL; "
    "INSERT INTO video_words (rowid, words) SELECT new.id, new.words WHERE new.words IS NOT NULL; END",
)
POSTGRESQL_SEARCH = ("CREATE INDEX ix_videos_words ON videos USING gin (words)",)


def upgrade() -> None:
    """Make every table."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS vector")

    op.create_table(
        "changes",
        sa.Column("version", key, nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("detail", document, nullable=True),
        sa.Column("undoes", key, nullable=True),
        sa.ForeignKeyConstraint(["undoes"], ["changes.version"], name=op.f("fk_changes_undoes")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_changes")),
        sa.UniqueConstraint("undoes", name=op.f("uq_changes_undoes")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "erasures",
        sa.Column("id", key, nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("removed", document, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_table(
        "erasing",
        sa.Column("id", key, nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=True),
        sa.Column("features", document, nullable=False),
        sa.Column("removed", document, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("asked_at", instant, nullable=False),
        sa.Column("wiped_at", instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasing")),
    )
    op.create_index(op.f("ix_erasing_content_hash"), "erasing", ["content_hash"], unique=False)
    op.create_table(
        "facts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", document, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
    op.create_table(
        "feeds",
        sa.Column("id", key, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("policy", sa.String(length=12), nullable=False),
        sa.Column("allow_private", sa.Boolean(), nullable=False),
        sa.Column("every_seconds", sa.Integer(), nullable=False),
        sa.Column("keep_seconds", sa.Integer(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("modified", sa.Text(), nullable=True),
        sa.Column("polled_at", instant, nullable=True),
        sa.Column("next_at", instant, nullable=False),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("lease_until", instant, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('auto', 'rss', 'json', 'csv')", name=op.f("ck_feeds_kind")),
        sa.CheckConstraint("policy IN ('quarantine', 'approve')", name=op.f("ck_feeds_policy")),
        sa.CheckConstraint("state IN ('active', 'paused')", name=op.f("ck_feeds_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feeds")),
        sa.UniqueConstraint("url", name=op.f("uq_feeds_url")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "models",
        sa.Column("id", key, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("vector_fingerprint", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("distance", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("metrics", document, nullable=True),
        sa.Column("added_at", instant, nullable=False),
        sa.Column("promoted_at", instant, nullable=True),
        sa.Column("replaced", key, nullable=True),
        sa.CheckConstraint(
            "state IN ('building', 'ready', 'active', 'retired')", name=op.f("ck_models_state")
        ),
        sa.CheckConstraint("distance IN ('cosine', 'euclidean', 'hamming')", name=op.f("ck_models_distance")),
        sa.ForeignKeyConstraint(["replaced"], ["models.id"], name=op.f("fk_models_replaced")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_models_fingerprint")),
        sa.UniqueConstraint("name", name=op.f("uq_models_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_models_state"), "models", ["state"], unique=False)
    op.create_index(
        "uq_models_active",
        "models",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "segments",
        sa.Column("vector_fingerprint", sa.String(length=64), nullable=False),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("gone", sa.Integer(), nullable=False),
        sa.Column("unwiped", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("vector_fingerprint", "segment", name=op.f("pk_segments")),
    )
    op.create_table(
        "tags",
        sa.Column("id", key, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("language", sa.String(length=35), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("merged_into", key, nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("expires_at", instant, nullable=True),
        sa.Column("heat", sa.Float(), nullable=False),
        sa.Column("heat_at", instant, nullable=True),
        sa.Column("suggestable", sa.Boolean(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('active', 'retired', 'quarantined', 'merged', 'removed')", name=op.f("ck_tags_state")
        ),
        sa.ForeignKeyConstraint(["merged_into"], ["tags.id"], name=op.f("fk_tags_merged_into")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_tags_merged_into"), "tags", ["merged_into"], unique=False)
    op.create_index(op.f("ix_tags_state"), "tags", ["state"], unique=False)
    op.create_index(op.f("ix_tags_version"), "tags", ["version"], unique=False)
    op.create_table(
        "videos",
        sa.Column("id", key, nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=True),
        sa.Column("media", sa.Text(), nullable=True),
        sa.Column("stored", sa.Boolean(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("facts", document, nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("subtitles", sa.Text(), nullable=True),
        sa.Column("published_at", instant, nullable=True),
        sa.Column("added_at", instant, nullable=False),
        sa.Column("shelf", sa.String(length=12), nullable=False),
        sa.Column("shelved_at", instant, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", instant, nullable=True),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("lease_worker", sa.Text(), nullable=True),
        sa.Column("lease_until", instant, nullable=True),
        sa.Column("error", document, nullable=True),
        sa.Column("words", search_words, nullable=True),
        sa.CheckConstraint("shelf IN ('unlabelled', 'labelled', 'failed')", name=op.f("ck_videos_shelf")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_videos")),
        sa.UniqueConstraint("content_hash", name=op.f("uq_videos_content_hash")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_videos_shelf", "videos", ["shelf", "id"], unique=False)
    op.create_index("ix_videos_added", "videos", ["added_at", "id"], unique=False)
    op.create_index("ix_videos_queue", "videos", ["shelf", "not_before", "id"], unique=False)
    op.create_index("ix_videos_shelved", "videos", ["shelf", "shelved_at", "id"], unique=False)
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("started_at", instant, nullable=False),
        sa.Column("seen_at", instant, nullable=False),
        sa.Column("stopped_at", instant, nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    op.create_table(
        "answers",
        sa.Column("video_id", key, nullable=False),
        sa.Column("model_id", key, nullable=False),
        sa.Column("library_version", sa.BigInteger(), nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("modalities", document, nullable=True),
        sa.Column("warnings", document, nullable=True),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_answers_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name=op.f("fk_answers_video_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("video_id", "model_id", name=op.f("pk_answers")),
    )
    op.create_index("ix_answers_version", "answers", ["model_id", "library_version"], unique=False)
    op.create_table(
        "changed_tags",
        sa.Column("version", key, nullable=False),
        sa.Column("tag_id", key, nullable=False),
        sa.Column("before", document, nullable=True),
        sa.Column("after", document, nullable=True),
        sa.ForeignKeyConstraint(
            ["tag_id"], ["tags.id"], name=op.f("fk_changed_tags_tag_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["version"], ["changes.version"], name=op.f("fk_changed_tags_version"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version", "tag_id", name=op.f("pk_changed_tags")),
    )
    op.create_index("ix_changed_tags_tag", "changed_tags", ["tag_id", "version"], unique=False)
    op.create_table(
        "barred",
        sa.Column("video_id", key, nullable=False),
        sa.Column("tag_id", key, nullable=False),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_barred_tag_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name=op.f("fk_barred_video_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("video_id", "tag_id", name=op.f("pk_barred")),
    )
    op.create_table(
        "builds",
        sa.Column("model_id", key, nullable=False),
        sa.Column("video_id", key, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", instant, nullable=True),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("lease_worker", sa.Text(), nullable=True),
        sa.Column("lease_until", instant, nullable=True),
        sa.Column("error", document, nullable=True),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_builds_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name=op.f("fk_builds_video_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "video_id", name=op.f("pk_builds")),
    )
    op.create_table(
        "feed_entries",
        sa.Column("feed_id", key, nullable=False),
        sa.Column("entry", sa.String(length=64), nullable=False),
        sa.Column("seen_at", instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_id"], ["feeds.id"], name=op.f("fk_feed_entries_feed_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("feed_id", "entry", name=op.f("pk_feed_entries")),
    )
    op.create_index(op.f("ix_feed_entries_seen_at"), "feed_entries", ["seen_at"], unique=False)
    op.create_table(
        "feed_phrases",
        sa.Column("feed_id", key, nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("phrase", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_id"], ["feeds.id"], name=op.f("fk_feed_phrases_feed_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("feed_id", "hour", "phrase", name=op.f("pk_feed_phrases")),
    )
    op.create_table(
        "frame_vectors",
        sa.Column("model_id", key, nullable=False),
        sa.Column("video_id", key, nullable=False),
        sa.Column("seconds", sa.LargeBinary(), nullable=False),
        sa.Column("vectors", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_frame_vectors_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name=op.f("fk_frame_vectors_video_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "video_id", name=op.f("pk_frame_vectors")),
    )
    op.create_table(
        "suggestions",
        sa.Column("video_id", key, nullable=False),
        sa.Column("model_id", key, nullable=False),
        sa.Column("tag_id", key, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("distance", sa.Float(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("origin", sa.String(length=8), nullable=False),
        sa.Column("evidence", document, nullable=True),
        sa.Column("library_version", sa.BigInteger(), nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.CheckConstraint("origin IN ('model', 'retro')", name=op.f("ck_suggestions_origin")),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_suggestions_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tag_id"], ["tags.id"], name=op.f("fk_suggestions_tag_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name=op.f("fk_suggestions_video_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("video_id", "model_id", "tag_id", name=op.f("pk_suggestions")),
    )
    op.create_index("ix_suggestions_tag", "suggestions", ["tag_id", "model_id", "video_id"], unique=False)
    op.create_table(
        "sweeps",
        sa.Column("tag_id", key, nullable=False),
        sa.Column("model_id", key, nullable=False),
        sa.Column("asked_at", instant, nullable=False),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("lease_until", instant, nullable=True),
        sa.Column("done_at", instant, nullable=True),
        sa.Column("hits", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_sweeps_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_sweeps_tag_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tag_id", "model_id", name=op.f("pk_sweeps")),
    )
    op.create_table(
        "tag_groups",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tag_id", key, nullable=False),
        sa.ForeignKeyConstraint(
            ["tag_id"], ["tags.id"], name=op.f("fk_tag_groups_tag_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("name", "tag_id", name=op.f("pk_tag_groups")),
    )
    op.create_table(
        "tag_names",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tag_id", key, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tag_id"], ["tags.id"], name=op.f("fk_tag_names_tag_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_tag_names")),
    )
    op.create_index(op.f("ix_tag_names_tag_id"), "tag_names", ["tag_id"], unique=False)
    op.create_table(
        "vectors",
        sa.Column("model_id", key, nullable=False),
        sa.Column("video_id", key, nullable=False),
        sa.Column("segment", sa.Integer(), nullable=True),
        sa.Column("row", sa.Integer(), nullable=True),
        sa.Column("embedding", embedding, nullable=True),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_vectors_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name=op.f("fk_vectors_video_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "video_id", name=op.f("pk_vectors")),
    )
    op.create_index("ix_vectors_segment", "vectors", ["model_id", "segment", "row"], unique=True)
    op.create_table(
        "verdicts",
        sa.Column("video_id", key, nullable=False),
        sa.Column("tag_id", key, nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("model_id", key, nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("distance", sa.Float(), nullable=True),
        sa.CheckConstraint("verdict IN ('accept', 'reject', 'add')", name=op.f("ck_verdicts_verdict")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_verdicts_model_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_verdicts_tag_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name=op.f("fk_verdicts_video_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("video_id", "tag_id", name=op.f("pk_verdicts")),
    )
    op.create_index("ix_verdicts_at", "verdicts", ["at"], unique=False)
    op.create_index("ix_verdicts_tag", "verdicts", ["tag_id", "video_id"], unique=False)
    op.create_table(
        "video_references",
        sa.Column("id", key, nullable=False),
        sa.Column("video_id", key, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("added_at", instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name=op.f("fk_video_references_video_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_video_references")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_video_references_owner_name")),
    )
    op.create_index("ix_video_references_owner", "video_references", ["owner", "video_id"], unique=False)
    op.create_index(op.f("ix_video_references_video_id"), "video_references", ["video_id"], unique=False)
    for statement in SQLITE_SEARCH if op.get_bind().dialect.name == "sqlite" else POSTGRESQL_SEARCH:
        op.execute(statement)


def downgrade() -> None:
    """Drop every table; the extension stays, others may use it."""

    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE video_words")
    op.drop_table("erasing")
    op.drop_index("ix_video_references_owner", table_name="video_references")
    op.drop_index(op.f("ix_video_references_video_id"), table_name="video_references")
    op.drop_table("video_references")
    op.drop_index("ix_verdicts_tag", table_name="verdicts")
    op.drop_index("ix_verdicts_at", table_name="verdicts")
    op.drop_table("verdicts")
    op.drop_index("ix_vectors_segment", table_name="vectors")
    op.drop_table("vectors")
    op.drop_index(op.f("ix_tag_names_tag_id"), table_name="tag_names")
    op.drop_table("tag_names")
    op.drop_table("tag_groups")
    op.drop_table("sweeps")
    op.drop_index("ix_suggestions_tag", table_name="suggestions")
    op.drop_table("suggestions")
    op.drop_table("frame_vectors")
    op.drop_table("feed_phrases")
    op.drop_index(op.f("ix_feed_entries_seen_at"), table_name="feed_entries")
    op.drop_table("feed_entries")
    op.drop_table("builds")
    op.drop_table("barred")
    op.drop_index("ix_answers_version", table_name="answers")
    op.drop_table("answers")
    op.drop_index("ix_changed_tags_tag", table_name="changed_tags")
    op.drop_table("changed_tags")
    op.drop_table("workers")
    op.drop_index("ix_videos_shelved", table_name="videos")
    op.drop_index("ix_videos_queue", table_name="videos")
    op.drop_index("ix_videos_shelf", table_name="videos")
    op.drop_index("ix_videos_added", table_name="videos")
    op.drop_table("videos")
    op.drop_index(op.f("ix_tags_version"), table_name="tags")
    op.drop_index(op.f("ix_tags_state"), table_name="tags")
    op.drop_index(op.f("ix_tags_merged_into"), table_name="tags")
    op.drop_table("tags")
    op.drop_table("segments")
    op.drop_index("uq_models_active", table_name="models")
    op.drop_index(op.f("ix_models_state"), table_name="models")
    op.drop_table("models")
    op.drop_table("feeds")
    op.drop_table("facts")
    op.drop_table("erasures")
    op.drop_table("changes")
