"""Messages of Amazon SNS, by which SES reports (docs.aws.amazon.com/sns, "Verifying the
signatures of Amazon SNS messages").

The signature is of named fields, by a certificate that the message says where to find. The
surprising fact: that address is believed only if it is Amazon's own host for SNS, else
anybody could sign with a certificate of their own.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from api.callbacks.reading import maybe_text, text_in
from api.callbacks.report import NotFromProviderError

_HOST = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(\.cn)?")

# Version 1 is SHA-1, which topics have unless told otherwise; both are still Amazon's.
_HASHES: Mapping[str, type[HashAlgorithm]] = {"1": SHA1, "2": SHA256}

_SIGNED_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_SUBSCRIPTION = (
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)

# A certificate is 2 KB. Amazon answers in milliseconds, and repeats what we fail to take.
_MOST_BYTES = 20_000
_TIMEOUT_S = 5.0


class Sns:
    """Checks messages of the given topics. `client` fetches Amazon's certificates."""

    def __init__(self, topics: frozenset[str], client: httpx.AsyncClient | None = None) -> None:
        self._topics = topics
        self._client = client
        self._certificates: dict[str, bytes] = {}

    async def check(self, message: Mapping[str, Any]) -> None:
        """Whether SNS signed it, for a topic of ours. Raises NotFromProviderError."""
        if maybe_text(message, "TopicArn") not in self._topics:
            raise NotFromProviderError("the message is of a topic that nobody set up here")
        url = _amazons(text_in(message, "SigningCertURL"))
        algorithm = _HASHES.get(text_in(message, "SignatureVersion"))
        if algorithm is None:
            raise NotFromProviderError("the signature is of a version that is not known")
        key = _key_in(await self._certificate(url))
        try:
            signature = base64.b64decode(text_in(message, "Signature"), validate=True)
            key.verify(signature, _signed(message), padding.PKCS1v15(), algorithm())
        except (binascii.Error, InvalidSignature):
            raise NotFromProviderError("the signature is wrong") from None

    async def subscribe(self, message: Mapping[str, Any]) -> None:
        """Answer a (checked) request to confirm the subscription, by following its link."""
        await self._get(_amazons(text_in(message, "SubscribeURL")))

    async def _certificate(self, url: str) -> bytes:
        """From memory, for Amazon makes a new address for every new certificate."""
        if url not in self._certificates:
            fetched = await self._get(url)
            if len(self._certificates) >= _MOST_CERTIFICATES:
                self._certificates.clear()
            self._certificates[url] = fetched
        return self._certificates[url]

    async def _get(self, url: str) -> bytes:
        if self._client is not None:
            return await _fetched(self._client, url)
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            return await _fetched(client, url)


_MOST_CERTIFICATES = 20  # one a region, and some that were replaced


async def _fetched(client: httpx.AsyncClient, url: str) -> bytes:
    try:
        async with client.stream("GET", url, follow_redirects=False) as answer:
            answer.raise_for_status()
            read = bytearray()
            async for part in answer.aiter_bytes():
                read += part
                if len(read) > _MOST_BYTES:
                    raise NotFromProviderError("the certificate is too long to be one")
            return bytes(read)
    except httpx.HTTPError:
        raise NotFromProviderError("Amazon's answer could not be fetched") from None


def _amazons(url: str) -> str:
    """The address, if it is one of Amazon's for SNS. Raises NotFromProviderError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotFromProviderError("the address is none") from None
    host = parts.hostname or ""
    is_plain = parts.scheme == "https" and port in (None, 443) and parts.netloc == host
    if not is_plain or not _HOST.fullmatch(host):
        raise NotFromProviderError("the address is not Amazon's")
    return url


@lru_cache(maxsize=_MOST_CERTIFICATES)
def _key_in(certificate: bytes) -> rsa.RSAPublicKey:
    try:
        key = x509.load_pem_x509_certificate(certificate).public_key()
    except ValueError:
        raise NotFromProviderError("what Amazon answered is no certificate") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise NotFromProviderError("the certificate holds a key of another kind")
    return key


def _signed(message: Mapping[str, Any]) -> bytes:
    """The text that was signed: each field's name and value on a line, in this order."""
    is_notification = maybe_text(message, "Type") == "Notification"
    names = _SIGNED_NOTIFICATION if is_notification else _SIGNED_SUBSCRIPTION
    lines = [f"{name}\n{message[name]}\n" for name in names if isinstance(message.get(name), str)]
    return "".join(lines).encode("utf-8", "replace")
