"""Tenants, keys, seals, grants, artefacts and usage."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("pictures_a_day", sa.Integer(), nullable=False),
        sa.Column("trainings_at_once", sa.Integer(), nullable=False),
        sa.Column("storage_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenants"),
        sa.UniqueConstraint("name", name="uq_tenants_name"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("expires", TIME, nullable=True),
        sa.Column("revoked", TIME, nullable=True),
        sa.Column("last_used", TIME, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_api_keys_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("ix_api_keys_tenant_id", "api_keys", ["tenant_id"], unique=False)
    op.create_table(
        "artefacts",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_artefacts_tenant_id"),
        sa.PrimaryKeyConstraint("number", name="pk_artefacts"),
        sa.UniqueConstraint("id", name="uq_artefacts_id"),
    )
    op.create_index("ix_artefacts_digest", "artefacts", ["digest"], unique=False)
    op.create_index("ix_artefacts_job_id", "artefacts", ["job_id"], unique=False)
    op.create_index(
        "ix_artefacts_tenant_id_kind_number", "artefacts", ["tenant_id", "kind", "number"], unique=False
    )
    op.create_table(
        "seals",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("base_digest", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("trigger", sa.String(length=200), nullable=False),
        sa.Column("class_noun", sa.String(length=200), nullable=False),
        sa.Column("method", sa.String(length=200), nullable=False),
        sa.Column("family", sa.String(length=200), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("verdict", sa.String(length=200), nullable=True),
        sa.Column("scorecard", sa.JSON(), nullable=True),
        sa.Column("thumbnail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_seals_tenant_id"),
        sa.PrimaryKeyConstraint("number", name="pk_seals"),
        sa.UniqueConstraint(
            "tenant_id", "digest", "base_digest", name="uq_seals_tenant_id_digest_base_digest"
        ),
    )
    op.create_index("ix_seals_digest", "seals", ["digest"], unique=False)
    op.create_index("ix_seals_tenant_id_number", "seals", ["tenant_id", "number"], unique=False)
    op.create_table(
        "usage",
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_usage_tenant_id"),
        sa.PrimaryKeyConstraint("tenant_id", "day", name="pk_usage"),
    )
    op.create_table(
        "grants",
        sa.Column("seal_number", NUMBER, nullable=False),
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["seal_number"], ["seals.number"], name="fk_grants_seal_number", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_grants_tenant_id"),
        sa.PrimaryKeyConstraint("seal_number", "tenant_id", name="pk_grants"),
    )
    op.create_index("ix_grants_tenant_id", "grants", ["tenant_id"], unique=False)
