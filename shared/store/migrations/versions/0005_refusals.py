"""what a provider sees of a payment method, attempts that are made once, accounts that refuse, answers not recorded"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# As shared/domain/keys.py: the provider, the token and the customer, with a separator that no token has.
_HASH = "encode(sha256(convert_to(concat_ws(chr(31), provider, {0}, coalesce({1}, '')), 'UTF8')), 'hex')"


def upgrade() -> None:
    _methods()
    _charges()
    op.add_column("gateway_accounts", sa.Column("refused_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("gateway_accounts", sa.Column("refused_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("gateway_accounts", sa.Column("refused_code", sa.Text(), nullable=True))
    op.add_column("rechecks", sa.Column("credential", sa.Text(), nullable=True))
    op.add_column("pay_links", sa.Column("unrecorded", sa.Text(), nullable=True))


def _methods() -> None:
    op.add_column("payment_methods", sa.Column("credential", sa.Text(), nullable=True))
    op.add_column("payment_methods", sa.Column("instructed_at", sa.DateTime(timezone=True), nullable=True))
    hashed = _HASH.format("token", "customer")
    op.execute(f"UPDATE payment_methods SET instructed_at = effective_at, credential = {hashed}")  # noqa: S608
    op.alter_column("payment_methods", "credential", nullable=False)
    op.alter_column("payment_methods", "instructed_at", nullable=False)
    op.drop_column("payment_methods", "unusable_revision")
    op.drop_column("payment_methods", "unusable_code")


def _charges() -> None:
    op.add_column("charges", sa.Column("credential", sa.Text(), nullable=True))
    op.add_column("charges", sa.Column("once", sa.Boolean(), server_default="false", nullable=False))
    # Only attempts that may still be asked about, or were declined, are ever compared with a method.
    stored = "CAST(request AS jsonb) ->> "
    hashed = _HASH.format(f"{stored}'token'", f"{stored}'customer'")
    op.execute(f"UPDATE charges SET credential = {hashed} WHERE request IS NOT NULL AND state <> 'succeeded'")  # noqa: S608
    op.drop_index("ix_charges_declined", "charges")
    op.create_index(
        "ix_charges_declined",
        "charges",
        ["agency_id", "credential", "settled_at"],
        postgresql_where=sa.text("state = 'declined'"),
    )


def downgrade() -> None:
    op.drop_index("ix_charges_declined", "charges")
    op.create_index(
        "ix_charges_declined",
        "charges",
        ["agency_id", "payment_method_id", "settled_at"],
        postgresql_where=sa.text("state = 'declined'"),
    )
    for table, columns in (
        ("pay_links", ("unrecorded",)),
        ("rechecks", ("credential",)),
        ("gateway_accounts", ("refused_code", "refused_until", "refused_since")),
        ("charges", ("once", "credential")),
        ("payment_methods", ("instructed_at", "credential")),
    ):
        for column in columns:
            op.drop_column(table, column)
    op.add_column("payment_methods", sa.Column("unusable_revision", sa.BigInteger(), nullable=True))
    op.add_column("payment_methods", sa.Column("unusable_code", sa.Text(), nullable=True))
