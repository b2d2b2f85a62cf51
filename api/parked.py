"""What could not be carried to Temporal and was put aside: a person has it tried again."""

from api.errors import ConflictError, NotFoundError
from api.services import Services
from store import audit, customers, outbox
from store.tables import AuditEntry, OutboxRow


async def try_again(services: Services, row_id: int, actor: str) -> OutboxRow:
    """Put the row back, ahead of its customer's later ones; whoever runs a dispatcher takes it.

    Raises NotFoundError, or ConflictError if it was not put aside.
    """
    now = services.wall()
    async with services.database.transaction() as session:
        row = await outbox.get(session, row_id)
        if row is None:
            raise NotFoundError(f"the outbox has no row {row_id}", code="no_such_row")
        await customers.hold(session, row.customer_id)
        reason = row.parked_reason
        if not await outbox.unpark(session, row_id, now):
            raise ConflictError(f"row {row_id} of the outbox is not put aside", code="not_parked")
        entry = AuditEntry(
            at=now,
            actor=actor,
            action="outbox.retry",
            enrollment_id=row.enrollment_id,
            customer_id=row.customer_id,
            details={"row": row_id, "reason": reason},
        )
        await audit.record(session, entry)
        fresh = await outbox.get(session, row_id)
        assert fresh is not None  # it was there a moment ago
    services.woken.set()
    return fresh
