"""Where providers report: no key of ours, but each by its own signature over the raw bytes.

200 once what was reported is written down for good; providers come again after anything else.
"""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from fastapi import APIRouter, Request, Response
from pydantic import SecretStr

from api.callbacks import lob, postmark, resend, sendgrid, ses, twilio
from api.callbacks.reading import json_of, mapping_of, text_in
from api.callbacks.replies import TextMessage, take_reply
from api.callbacks.report import NotSetUpError, Report, UnreadableReportError
from api.callbacks.sns import Sns
from api.callbacks.taking import take_reports
from api.given import Given
from api.schemas import CALLBACK_BODY, CALLBACK_FORM, refusals
from api.services import Services
from settings import variable

router = APIRouter(
    tags=["Reports of providers"],
    prefix="/callbacks",
    responses=refusals(400, 401, 404, 408, 413, 503),
)


@router.post("/postmark", openapi_extra=CALLBACK_BODY)
async def from_postmark(request: Request, services: Given) -> Response:
    """Postmark's webhooks; user and password stand in the address that you give Postmark."""
    secret = _secret(services, "postmark_callback_credentials")
    postmark.check(request.headers.get("Authorization", ""), secret)
    return await _taken(services, postmark.read(await request.body()))


@router.post("/sendgrid", openapi_extra=CALLBACK_BODY)
async def from_sendgrid(request: Request, services: Given) -> Response:
    """SendGrid's signed Event Webhook."""
    key = services.settings.sendgrid_callback_key
    if key is None:
        raise _not_set_up("sendgrid_callback_key")
    raw = await request.body()
    sendgrid.check(request.headers, raw, key, services.wall())
    return await _taken(services, sendgrid.read(raw))


@router.post("/ses", openapi_extra=CALLBACK_BODY)
async def from_ses(request: Request, services: Given) -> Response:
    """Amazon SNS with what SES reports; a subscription is confirmed by itself."""
    if not services.settings.ses_callback_topics:
        raise _not_set_up("ses_callback_topics")
    message = mapping_of(json_of(await request.body()))
    sns: Sns = request.app.state.sns
    await sns.check(message)
    match text_in(message, "Type"):
        case "Notification":
            return await _taken(services, ses.read(message))
        case "SubscriptionConfirmation":
            await sns.subscribe(message)
            return Response()
        case "UnsubscribeConfirmation":
            return Response()
        case _:
            raise UnreadableReportError("`Type` is none that is known")


@router.post("/resend", openapi_extra=CALLBACK_BODY)
async def from_resend(request: Request, services: Given) -> Response:
    """Resend's webhooks."""
    secret = _secret(services, "resend_callback_secret")
    raw = await request.body()
    resend.check(request.headers, raw, secret)
    return await _taken(services, resend.read(request.headers, raw))


@router.post("/twilio/status", openapi_extra=CALLBACK_FORM)
async def status_from_twilio(request: Request, services: Given) -> Response:
    """What became of a text message."""
    fields = await _fields_of_twilio(request, services)
    return await _taken(services, twilio.read_status(fields, services.wall()))


@router.post("/twilio/inbound", openapi_extra=CALLBACK_FORM)
async def answer_from_twilio(request: Request, services: Given) -> Response:
    """What somebody answered; the reply, if any, is TwiML."""
    fields = await _fields_of_twilio(request, services)
    if not fields.get("MessageSid") or not fields.get("From"):
        raise UnreadableReportError("`MessageSid` or `From` is missing")
    # Where Twilio's own opt-out feature answered already, it says so; a second answer annoys.
    asked = fields.get("OptOutType")
    text = asked or fields.get("Body", "")
    message = TextMessage(id=fields["MessageSid"], sender=fields["From"], text=text)
    answer = await take_reply(services, message)
    said = f"<Message>{escape(answer)}</Message>" if answer is not None and not asked else ""
    body = f'<?xml version="1.0" encoding="UTF-8"?><Response>{said}</Response>'
    return Response(body, media_type="application/xml")


@router.post("/lob", openapi_extra=CALLBACK_BODY)
async def from_lob(request: Request, services: Given) -> Response:
    """Lob's webhooks: what the post does with cards and letters."""
    secret = _secret(services, "lob_callback_secret")
    raw = await request.body()
    lob.check(request.headers, raw, secret, services.wall())
    return await _taken(services, lob.read(raw))


async def _fields_of_twilio(request: Request, services: Services) -> dict[str, str]:
    token = _secret(services, "twilio_auth_token")
    fields = twilio.fields_of(await request.body())
    query = f"?{request.url.query}" if request.url.query else ""
    # As Twilio knows it; what a proxy made of it is no matter.
    url = f"{services.settings.public_url}{request.url.path}{query}"
    twilio.check(request.headers.get(twilio.SIGNATURE, ""), url, fields, token)
    return fields


async def _taken(services: Services, reports: Sequence[Report]) -> Response:
    await take_reports(services, reports)
    return Response()


def _secret(services: Services, field: str) -> str:
    secret = getattr(services.settings, field)
    if secret is None:
        raise _not_set_up(field)
    assert isinstance(secret, SecretStr)
    return secret.get_secret_value()


def _not_set_up(field: str) -> NotSetUpError:
    return NotSetUpError(f"nobody is set up to report here: set {variable(field)}")
