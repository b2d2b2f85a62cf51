"""Providers as these tests play them: what each says, and its signature for it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook

from engine.carried_keys import carried, plain
from tests.api.given import A_DAY

PUBLIC_URL = "https://parcours.example"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
RESEND_SECRET = "whsec_" + base64.b64encode(b"r" * 32).decode()
_SENDGRID_KEY = ec.generate_private_key(ec.SECP256R1())
_SNS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)

SETTINGS: Mapping[str, Any] = {
    "public_url": PUBLIC_URL,
    "postmark_callback_credentials": "post:mark-secret",
    "sendgrid_callback_key": base64.b64encode(
        _SENDGRID_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode(),
    "ses_callback_topics": TOPIC,
    "resend_callback_secret": RESEND_SECRET,
    "twilio_auth_token": "t" * 32,
    "lob_callback_secret": "lob-secret",
}


@dataclass(frozen=True)
class Said:
    """A request as a provider makes it."""

    path: str
    body: bytes
    headers: Mapping[str, str]

    async def to(self, client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
        given = {"content": self.body, "headers": dict(self.headers), **changes}
        return await client.post(self.path, **given)


def certificate() -> bytes:
    """Of the key by which SNS signs here."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    made = made.public_key(_SNS_KEY.public_key()).serial_number(1)
    made = made.not_valid_before(A_DAY).not_valid_after(A_DAY + timedelta(days=365))
    return made.sign(_SNS_KEY, SHA256()).public_bytes(Encoding.PEM)


def amazon(asked: list[str]) -> httpx.AsyncClient:
    """A client whose only answer is that certificate; it notes what it was asked for."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, content=certificate())

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


def postmark(kind: str, at: datetime = A_DAY, **more: Any) -> Said:
    where = "Email" if kind in ("Bounce", "SpamComplaint") else "Recipient"
    when = {
        "Delivery": "DeliveredAt",
        "Bounce": "BouncedAt",
        "SpamComplaint": "BouncedAt",
        "SubscriptionChange": "ChangedAt",
    }.get(kind, "ReceivedAt")
    told = {"RecordType": kind, "MessageID": "pm-1", where: "ann@example.com", when: _iso(at)}
    body = json.dumps({**told, **more}).encode()
    credentials = base64.b64encode(b"post:mark-secret").decode()
    return Said("/callbacks/postmark", body, {"Authorization": f"Basic {credentials}"})


def sendgrid(*events: Mapping[str, Any], at: datetime = A_DAY) -> Said:
    given = {"email": "ann@example.com", "timestamp": int(at.timestamp()), "sg_message_id": "sg.f1"}
    body = json.dumps([{**given, **event} for event in events]).encode()
    timestamp = str(int(at.timestamp()))
    signature = _SENDGRID_KEY.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
    }
    return Said("/callbacks/sendgrid", body, headers)


def sns(message: str, number: str = "sns-1", **more: str) -> Said:
    told = {
        "Type": "Notification",
        "MessageId": number,
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": _iso(A_DAY),
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE,
        **more,
    }
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token"]
    lines = [f"{n}\n{told[n]}\n" for n in [*names, "TopicArn", "Type"] if n in told]
    signed = _SNS_KEY.sign("".join(lines).encode(), padding.PKCS1v15(), SHA256())
    told["Signature"] = base64.b64encode(signed).decode()
    return Said("/callbacks/ses", json.dumps(told).encode(), {"Content-Type": "text/plain"})


def ses(
    event: str, key: str | None, at: datetime = A_DAY, number: str = "sns-1", **part: Any
) -> Said:
    name = event[0].lower() + event[1:]
    tags = {} if key is None else {n: [v] for n, v in carried(plain(key), 256).items()}
    mail = {"messageId": "ses-1", "timestamp": _iso(at), "destination": ["ann@example.com"]}
    told = {
        "eventType": event,
        "mail": {**mail, "tags": tags},
        name: {"timestamp": _iso(at), **part},
    }
    return sns(json.dumps(told), number)


def resend(kind: str, number: str = "msg_1", at: datetime = A_DAY, **data: Any) -> Said:
    given = {"email_id": "re-1", "to": ["ann@example.com"], **data}
    body = json.dumps({"type": kind, "created_at": _iso(at), "data": given})
    now = datetime.now(UTC)
    headers = {
        "svix-id": number,
        "svix-timestamp": str(int(now.timestamp())),
        "svix-signature": Webhook(RESEND_SECRET).sign(number, now, body),
    }
    return Said("/callbacks/resend", body.encode(), headers)


def twilio(path: str, **fields: str) -> Said:
    said = f"{PUBLIC_URL}/callbacks/twilio/{path}"
    said += "".join(name + fields[name] for name in sorted(fields))
    signed = hmac.new(b"t" * 32, said.encode(), hashlib.sha1).digest()
    headers = {
        "X-Twilio-Signature": base64.b64encode(signed).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return Said(f"/callbacks/twilio/{path}", urlencode(fields).encode(), headers)


def lob(event: str, key: str | None, number: str = "evt_1", at: datetime = A_DAY) -> Said:
    metadata = {} if key is None else carried(key, 500)
    piece = {"id": "ltr_1", "metadata": metadata}
    told = {"id": number, "event_type": {"id": event}, "body": piece, "date_created": _iso(at)}
    body = json.dumps(told).encode()
    timestamp = str(int(at.timestamp() * 1000))
    signed = hmac.new(b"lob-secret", timestamp.encode() + b"." + body, hashlib.sha256)
    headers = {"Lob-Signature": signed.hexdigest(), "Lob-Signature-Timestamp": timestamp}
    return Said("/callbacks/lob", body, headers)


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
