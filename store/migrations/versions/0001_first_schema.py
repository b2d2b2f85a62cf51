"""The first schema: every table of the trial journey, and the places of those to come."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# As `store.tables.columns` had them at the time: a migration must not change with the code.
UTC_TIME = sa.DateTime(timezone=True)
EXACT = sa.Numeric(18, 4).with_variant(sa.String(20), "sqlite")
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON_AS_WRITTEN = sa.JSON()
JSON_VALUE = sa.JSON().with_variant(JSONB(), "postgresql")
WORD = sa.String(32)


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("scopes", JSON_VALUE, nullable=False),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("revoked_at", UTC_TIME),
        sa.Column("last_used_at", UTC_TIME),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("sha256", name="uq_api_keys_sha256"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("enrollment_id", sa.String()),
        sa.Column("customer_id", sa.String()),
        sa.Column("details", JSON_VALUE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at"])
    op.create_index("ix_audit_log_customer_id", "audit_log", ["customer_id"])
    op.create_index("ix_audit_log_enrollment_id", "audit_log", ["enrollment_id"])
    op.create_table(
        "console_users",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_console_users"),
        sa.UniqueConstraint("name", name="uq_console_users_name"),
    )
    op.create_table(
        "customers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("pseudonym", sa.String(), nullable=False),
        sa.Column("traits", JSON_VALUE, nullable=False),
        sa.Column("trait_times", JSON_VALUE, nullable=False),
        sa.Column("context_timezone", sa.String()),
        sa.Column("context_timezone_at", UTC_TIME),
        sa.Column("context_locale", sa.String()),
        sa.Column("context_locale_at", UTC_TIME),
        sa.Column("first_seen_at", UTC_TIME),
        sa.Column("last_seen_at", UTC_TIME),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("updated_at", UTC_TIME, nullable=False),
        sa.Column("erased_at", UTC_TIME),
        sa.PrimaryKeyConstraint("id", name="pk_customers"),
        sa.UniqueConstraint("pseudonym", name="uq_customers_pseudonym"),
    )
    op.create_table(
        "journey_versions",
        sa.Column("journey", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("definition", sa.String(), nullable=False),
        sa.Column("published_at", UTC_TIME, nullable=False),
        sa.Column("published_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("journey", "version", name="pk_journey_versions"),
    )
    op.create_table(
        "mailbox",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("customer_id", sa.String()),
        sa.Column("headers", JSON_VALUE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mailbox"),
        sa.UniqueConstraint("key", name="uq_mailbox_key"),
    )
    op.create_index("ix_mailbox_at", "mailbox", ["at"])
    op.create_index("ix_mailbox_customer_id", "mailbox", ["customer_id"])
    op.create_table(
        "publications",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("policy", JSON_AS_WRITTEN, nullable=False),
        sa.Column("messages", JSON_AS_WRITTEN, nullable=False),
        sa.Column("journeys", JSON_AS_WRITTEN, nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_publications"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "suppressions",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_suppressions"),
        sa.UniqueConstraint("channel", "address", name="uq_suppressions_channel_address"),
    )
    op.create_table(
        "consents",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String()),
        sa.Column("topic", sa.String()),
        sa.Column("state", WORD, nullable=False),
        sa.Column("basis", sa.String()),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("wording", sa.String()),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("actor", sa.String()),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_consents_customer_id"),
        sa.PrimaryKeyConstraint("id", name="pk_consents"),
    )
    op.create_index("ix_consents_customer_id_at", "consents", ["customer_id", "at"])
    op.create_table(
        "delivery_events",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("provider_event_id", sa.String(), nullable=False),
        sa.Column("message_key", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("received_at", UTC_TIME, nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("details", JSON_VALUE, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name="fk_delivery_events_customer_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_events"),
        sa.UniqueConstraint("provider_event_id", name="uq_delivery_events_provider_event_id"),
    )
    op.create_index(
        "ix_delivery_events_customer_id_kind", "delivery_events", ["customer_id", "kind"]
    )
    op.create_index("ix_delivery_events_message_key", "delivery_events", ["message_key"])
    op.create_table(
        "enrollments",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("journey", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("key", sa.String()),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("start_event_id", sa.String(), nullable=False),
        sa.Column("start_at", UTC_TIME, nullable=False),
        sa.Column("entered_at", UTC_TIME, nullable=False),
        sa.Column("start_properties", JSON_VALUE, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("ended_at", UTC_TIME),
        sa.Column("ended_by", sa.String()),
        sa.Column("paused_at", UTC_TIME),
        sa.Column("skipped_steps", JSON_VALUE, nullable=False),
        sa.Column("next_step", sa.String()),
        sa.Column("next_at", UTC_TIME),
        sa.Column("converted_at", UTC_TIME),
        sa.Column("conversion_value", EXACT),
        sa.Column("holdout", sa.Boolean(), nullable=False),
        sa.Column("input", JSON_AS_WRITTEN, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name="fk_enrollments_customer_id"
        ),
        sa.ForeignKeyConstraint(
            ["journey", "version"],
            ["journey_versions.journey", "journey_versions.version"],
            name="fk_enrollments_journey_version",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_enrollments"),
    )
    op.create_index("ix_enrollments_customer_id_journey", "enrollments", ["customer_id", "journey"])
    op.create_index("ix_enrollments_entered_at", "enrollments", ["entered_at"])
    op.create_index("ix_enrollments_journey_state", "enrollments", ["journey", "state"])
    op.create_table(
        "event_stats",
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("first_at", UTC_TIME, nullable=False),
        sa.Column("last_at", UTC_TIME, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name="fk_event_stats_customer_id"
        ),
        sa.PrimaryKeyConstraint("customer_id", "name", name="pk_event_stats"),
    )
    op.create_table(
        "events",
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("name", sa.String()),
        sa.Column("properties", JSON_VALUE, nullable=False),
        sa.Column("context", JSON_VALUE, nullable=False),
        sa.Column("occurred_at", UTC_TIME, nullable=False),
        sa.Column("received_at", UTC_TIME, nullable=False),
        sa.Column("disposition", JSON_VALUE),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_events_customer_id"),
        sa.PrimaryKeyConstraint("message_id", name="pk_events"),
    )
    op.create_index(
        "ix_events_customer_id_name_occurred_at", "events", ["customer_id", "name", "occurred_at"]
    )
    op.create_index("ix_events_customer_id_occurred_at", "events", ["customer_id", "occurred_at"])
    op.create_table(
        "outbox",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("enrollment_id", sa.String()),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("payload", JSON_VALUE, nullable=False),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before_at", UTC_TIME, nullable=False),
        sa.Column("leased_until_at", UTC_TIME),
        sa.Column("done_at", UTC_TIME),
        sa.Column("parked_at", UTC_TIME),
        sa.Column("parked_reason", sa.String()),
        sa.Column("last_error", sa.String()),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_outbox_customer_id"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["customer_id", "id"],
        sqlite_where=sa.text("done_at IS NULL AND parked_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL AND parked_at IS NULL"),
    )
    op.create_table(
        "messages",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("enrollment_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("journey", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("occurrence", sa.String(), nullable=False),
        sa.Column("decision", WORD),
        sa.Column("reason", WORD),
        sa.Column("channel", sa.String()),
        sa.Column("topic", sa.String()),
        sa.Column("transactional", sa.Boolean(), nullable=False),
        sa.Column("message", sa.String()),
        sa.Column("content_hash", sa.String()),
        sa.Column("sender", sa.String()),
        sa.Column("address", sa.String()),
        sa.Column("subject", sa.String()),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("provider", sa.String()),
        sa.Column("provider_message_id", sa.String()),
        sa.Column("claimed_at", UTC_TIME),
        sa.Column("first_claimed_at", UTC_TIME),
        sa.Column("decided_at", UTC_TIME, nullable=False),
        sa.Column("sent_at", UTC_TIME),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String()),
        sa.Column("due_at", UTC_TIME),
        sa.Column("zone", sa.String()),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_messages_customer_id"),
        sa.ForeignKeyConstraint(
            ["enrollment_id"], ["enrollments.id"], name="fk_messages_enrollment_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("key", name="uq_messages_key"),
    )
    op.create_index("ix_messages_customer_id_decided_at", "messages", ["customer_id", "decided_at"])
    op.create_index("ix_messages_enrollment_id", "messages", ["enrollment_id"])
    op.create_index("ix_messages_provider_message_id", "messages", ["provider_message_id"])
    op.create_index(
        "ix_messages_unsettled",
        "messages",
        ["claimed_at"],
        sqlite_where=sa.text("decision IS NULL OR decision = 'unknown'"),
        postgresql_where=sa.text("decision IS NULL OR decision = 'unknown'"),
    )
    op.create_table(
        "offers",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("enrollment_id", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("percent", EXACT),
        sa.Column("amount", EXACT),
        sa.Column("valid_until_at", UTC_TIME, nullable=False),
        sa.Column("message_key", sa.String(), nullable=False),
        sa.Column("redeemed_at", UTC_TIME),
        sa.Column("revoked_at", UTC_TIME),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name="fk_offers_customer_id"),
        sa.ForeignKeyConstraint(
            ["enrollment_id"], ["enrollments.id"], name="fk_offers_enrollment_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_offers"),
        sa.UniqueConstraint("code", name="uq_offers_code"),
        sa.UniqueConstraint("message_key", name="uq_offers_message_key"),
    )
    op.create_index("ix_offers_customer_id", "offers", ["customer_id"])


def downgrade() -> None:
    for table in (
        "offers",
        "messages",
        "outbox",
        "events",
        "event_stats",
        "enrollments",
        "delivery_events",
        "consents",
        "suppressions",
        "publications",
        "mailbox",
        "journey_versions",
        "customers",
        "console_users",
        "audit_log",
        "api_keys",
    ):
        op.drop_table(table)
