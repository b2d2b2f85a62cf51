"""Every table of the store, one module a group.

Rules for whoever edits a table next:

1. A changed table is a new file in `store/migrations/versions`, in the same commit. The
   tests compare the migrated schema with these classes on SQLite and on PostgreSQL.
2. Times end in `_at` and use `UTC_TIME`; the comment says whether they are journey time (the
   engine's, or the event's) or wall time (ours). Nothing here has a default that reads a
   clock: whoever writes a row knows its time.
3. No `relationship()`, no lazy loading: a row is what was read, and stays so after commit.
4. A word of a closed list is a `StrEnum` in a `word(...)` column, never a bare string and
   never the database's own enum.
5. What makes a repeat harmless is a unique column here (`message_id`, `key`, `code`), not a
   check in Python before the insert.
6. Rows that are history (consents, publications, journey versions, audit log, delivery events)
   are only ever inserted, until their customer is erased.
7. Whatever belongs to a customer points at `customers`; who writes it has locked that row.
   What the outside world keeps (`mailbox`) and what outlives everything (`audit_log`) does not.
8. Personal data lives in `customers` (id, traits), `events`, `computed` (state), `refused_calls`,
   `consents.wording`, `broadcasts` (cursor, audience), `enrollments` (start_properties),
   `messages` and `suppressions`, and in the mailbox, which imitates the world outside. A new
   column with some joins the list of what erasing a customer clears (`store/erasing.py`), and
   so does one that holds an id.
"""

from engine.consent import ConsentState
from store.tables.access import ApiKey, AuditEntry, ConsoleUser
from store.tables.broadcasts import Broadcast, BroadcastKind, BroadcastState
from store.tables.channels import SendSlots
from store.tables.columns import Table
from store.tables.computed import Computed, HourOfClicks
from store.tables.customers import (
    Company,
    Consent,
    Customer,
    Erasure,
    ErasureSalt,
    Suppression,
)
from store.tables.enrollments import Enrollment, EnrollmentState
from store.tables.events import (
    Event,
    EventKind,
    EventStats,
    OutboxKind,
    OutboxRow,
    RefusedCall,
)
from store.tables.journeys import JourneyVersion, Publication
from store.tables.messages import DeliveryEvent, MailboxMail, Message, Offer
from store.tables.stops import Archive, ArchivedInside, Stop

__all__ = [
    "ApiKey",
    "Archive",
    "ArchivedInside",
    "AuditEntry",
    "Broadcast",
    "BroadcastKind",
    "BroadcastState",
    "Company",
    "Computed",
    "Consent",
    "ConsentState",
    "ConsoleUser",
    "Customer",
    "DeliveryEvent",
    "Enrollment",
    "EnrollmentState",
    "Erasure",
    "ErasureSalt",
    "Event",
    "EventKind",
    "EventStats",
    "HourOfClicks",
    "JourneyVersion",
    "MailboxMail",
    "Message",
    "Offer",
    "OutboxKind",
    "OutboxRow",
    "Publication",
    "RefusedCall",
    "SendSlots",
    "Stop",
    "Suppression",
    "Table",
]
