"""What the server needs: API keys, uploads, answers that can be given again, events, webhooks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
instant = sa.DateTime(timezone=True)
document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "api_keys",
        sa.Column("id", key, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("revoked_at", instant, nullable=True),
        sa.CheckConstraint("role IN ('terminal', 'editor', 'admin')", name=op.f("ck_api_keys_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("name", name=op.f("uq_api_keys_name")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=True),
        sa.Column("started_at", instant, nullable=False),
        sa.Column("touched_at", instant, nullable=False),
        sa.Column("video_id", key, nullable=True),
        sa.Column("result", document, nullable=True),
        _video("uploads"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_table(
        "replies",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", document, nullable=True),
        sa.Column("headers", document, nullable=True),
        sa.Column("video_id", key, nullable=True),
        _video("replies"),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_replies")),
    )
    op.create_table(
        "events",
        sa.Column("id", key, nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("data", document, nullable=False),
        sa.Column("video_id", key, nullable=True),
        _video("events"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "webhooks",
        sa.Column("id", key, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("kinds", document, nullable=False),
        sa.Column("allow_private", sa.Boolean(), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("not_before", instant, nullable=True),
        sa.Column("lease_until", instant, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("url", name=op.f("uq_webhooks_url")),
        sqlite_autoincrement=True,
    )
    for table, column in INDEXES:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


INDEXES = (
    ("uploads", "touched_at"),
    ("uploads", "video_id"),
    ("replies", "at"),
    ("replies", "video_id"),
    ("events", "at"),
    ("events", "video_id"),
)


def downgrade() -> None:
    """Take the tables away, with what is in them."""
    for table in ("webhooks", "events", "replies", "uploads", "api_keys"):
        op.drop_table(table)


def _video(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_video_id")
    return sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name=name, ondelete="CASCADE")
