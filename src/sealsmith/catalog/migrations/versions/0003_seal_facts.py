"""What a seal's file says of itself, for lists that open no file."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for name in ("title", "base"):
        op.add_column("seals", sa.Column(name, sa.Text(), server_default="", nullable=False))
    for name in ("rank", "num_layers"):
        op.add_column("seals", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
