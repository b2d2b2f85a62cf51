"""Customers: what is known of one, and what they say about being written to."""

from uuid import uuid4

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress
from sqlalchemy.ext.asyncio import AsyncSession

from api.accept import accept_in
from api.auth import actor_of
from api.computing import seen
from api.erasing import ErasureReply, erase
from api.errors import BadRequestError, NotFoundError
from api.fields import MessageId, Name, PathText, Wording
from api.given import Admin, Given, Supporter, SupportRoute
from api.people import zone_now
from api.replies import ConsentReply, ConsentsReply, CustomerReply
from api.schemas import BODY_RESPONSES, SUPPORT_RESPONSES, refusals
from api.services import Services
from api.taking import Said
from engine.calls import ChangeConsent
from engine.purposes import PURPOSES
from store import audit, consents, customers, enrollments, journeys, messages
from store.tables import AuditEntry, Customer

router = APIRouter(
    tags=["Customers"],
    prefix="/v1/customers",
    route_class=SupportRoute,
    responses={**SUPPORT_RESPONSES, **refusals(404)},
)


# What follows the id. An id may hold it too, and then it comes escaped, as it must.
_LEDGER = "/consents"


class ConsentOrder(BaseModel):
    """What the customer said, told by somebody else."""

    model_config = ConfigDict(extra="forbid")

    topic: Name | None = Field(default=None, description="Null means all marketing.")
    channel: Name | None = Field(default=None, description="Null means every channel.")
    subscribed: bool
    wording: Wording | None = Field(
        default=None, description="What the customer read or was asked."
    )
    basis: Name | None = Field(default=None, description="The legal ground, such as `consent`.")
    confirmed: bool = Field(
        default=False,
        description="They confirmed it themselves; else a topic with double opt-in asks them.",
    )
    ip: IPvAnyAddress | None = Field(default=None, description="From where the customer said it.")
    message_id: MessageId | None = Field(default=None, description="Makes a repeat harmless.")


@router.post("/{customer_id:path}/consents", responses=BODY_RESPONSES)
async def change_consent(
    customer_id: PathText, order: ConsentOrder, services: Given, key: Supporter
) -> CustomerReply:
    """Subscribe a customer to a topic, or unsubscribe them; kept for good, with who said so.

    To a topic that asks for confirmation (`double_opt_in`) they are `pending` until they give
    it, and the event `consent.requested` lets a journey ask them.
    """
    now = services.now()
    call = ChangeConsent(
        customer_id=customer_id,
        at=now,
        message_id=order.message_id or f"consent-{uuid4()}",
        topic=order.topic,
        channel=order.channel,
        subscribed=order.subscribed,
        confirmed=order.confirmed,
    )
    said = Said(
        actor=actor_of(key),
        wording=order.wording,
        basis=order.basis,
        ip=None if order.ip is None else str(order.ip),
    )
    async with services.database.transaction() as session:
        await _existing(session, customer_id)
        await _check_topic(session, order.topic)
        accepted = await accept_in(session, services, [call], now, said)
        entry = AuditEntry(
            at=services.wall(),
            actor=actor_of(key),
            action="subscribe" if order.subscribed else "unsubscribe",
            customer_id=customer_id,
            details={"topic": order.topic, "channel": order.channel},
        )
        if accepted.new:
            await audit.record(session, entry)
        reply = await _reply(session, services, customer_id)
    services.woken.set()
    return reply


@router.get("/{customer_id:path}/consents")
async def ledger(
    customer_id: PathText, request: Request, services: Given, key: Supporter
) -> ConsentsReply | CustomerReply:
    """All that a customer ever said about being written to, newest first.

    The customer whose own id ends so is found by its escaped form, `%2Fconsents`.
    """
    async with services.database.reading() as session:
        if not request.scope["raw_path"].endswith(_LEDGER.encode()):
            return await _reply(session, services, customer_id + _LEDGER)
        row = await _existing(session, customer_id)
        said = await consents.of_customer(session, row.id)
    newest_first = [ConsentReply.model_validate(each) for each in reversed(said)]
    return ConsentsReply(customer_id=row.id, consents=newest_first)


@router.get("/{customer_id:path}")
async def customer(customer_id: PathText, services: Given, key: Supporter) -> CustomerReply:
    """A customer with their consents, their enrollments, and what they were sent or not."""
    async with services.database.reading() as session:
        return await _reply(session, services, customer_id)


@router.delete("/{customer_id:path}")
async def erase_customer(customer_id: PathText, services: Given, key: Admin) -> ErasureReply:
    """Erase a customer, under whatever id they are known: it can't be undone.

    Their enrollments end, and profile, events, message bodies and consents are removed. What
    stays are numbers without a person, and salted hashes by which an import is refused.
    """
    return await erase(services, customer_id, actor_of(key))


async def _existing(session: AsyncSession, customer_id: str) -> Customer:
    row = await customers.get(session, customer_id)
    if row is None or row.erased_at is not None:
        raise NotFoundError(f"there is no customer `{customer_id}`", code="no_such_customer")
    return row


async def _check_topic(session: AsyncSession, topic: Name | None) -> None:
    published = await journeys.newest_publication(session)
    topics = published.policy.topics if published is not None else {}
    if topic is not None and topic not in (*topics, *PURPOSES):
        known = ", ".join(f"`{name}`" for name in (*topics, *PURPOSES))
        raise BadRequestError(
            f"there is no topic `{topic}`; there is {known}", code="no_such_topic"
        )


async def _reply(session: AsyncSession, services: Services, customer_id: str) -> CustomerReply:
    row = await _existing(session, customer_id)
    published = await journeys.newest_publication(session)
    known = None
    if published is not None:
        known = await seen(session, row, published.policy, services.now(), services.evaluate)
    return CustomerReply.of(
        row,
        known,
        zone_now(row, published),
        await consents.of_customer(session, customer_id),
        await enrollments.of_customer(session, customer_id),
        await messages.of_customer(session, customer_id),
    )
