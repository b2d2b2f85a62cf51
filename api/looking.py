"""Reading one enrollment whole, for the API and for the pages."""

from urllib.parse import quote

from api.errors import NotFoundError
from api.replies import EnrollmentDetailReply
from api.services import Services
from store import audit, enrollments, messages


async def enrollment_detail(services: Services, enrollment_id: str) -> EnrollmentDetailReply:
    """An enrollment with every decision and what people did. Raises NotFoundError."""
    async with services.database.reading() as session:
        row = await enrollments.get(session, enrollment_id)
        if row is None:
            raise NotFoundError(
                f"there is no enrollment `{enrollment_id}`", code="no_such_enrollment"
            )
        return EnrollmentDetailReply.of(
            row,
            await messages.of_enrollment(session, enrollment_id),
            reversed(await audit.newest(session, enrollment_id=enrollment_id)),
            workflow_url(services, enrollment_id),
        )


def workflow_url(services: Services, enrollment_id: str) -> str | None:
    """Where the Temporal UI shows it; None if nobody said where that is."""
    if services.temporal_ui_url is None:
        return None
    namespace = services.settings.temporal_namespace
    return (
        f"{services.temporal_ui_url.rstrip('/')}/namespaces/{quote(namespace, safe='')}"
        f"/workflows/{quote(enrollment_id, safe='')}"
    )
