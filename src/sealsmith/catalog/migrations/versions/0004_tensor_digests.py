"""The hash of a seal's tensors alone, by which people search, too (AutoV3)."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("seals", sa.Column("tensors_digest", sa.String(64), server_default="", nullable=False))
    op.create_index("ix_seals_tensors_digest", "seals", ["tensors_digest"])
