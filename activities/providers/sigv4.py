"""Amazon's signature of a request, version 4
(docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).

Ours, and held to Amazon's published test vectors, because nothing well-kept fits: Amazon's
own `aws-sdk-signers` is a pre-alpha for Python 3.12, botocore brings its whole SDK, and the
small ones are one person's. It signs what we ask: a path without a query.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Signer:
    """Who signs, for which service in which region."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    service: str

    def sign(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, at: datetime
    ) -> dict[str, str]:
        """The headers, `Host` among them, with the two that sign them all. `at` is aware UTC."""
        stamp = at.strftime("%Y%m%dT%H%M%SZ")
        dated = {**headers, "X-Amz-Date": stamp}
        signed = {name.lower(): " ".join(value.split()) for name, value in dated.items()}
        names = ";".join(sorted(signed))
        lines = [f"{name}:{signed[name]}" for name in sorted(signed)]
        canonical = "\n".join([method, path, "", *lines, "", names, _sha256(body)])
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        to_sign = "\n".join([_ALGORITHM, stamp, scope, _sha256(canonical.encode())])
        signature = hmac.new(self._key(stamp[:8]), to_sign.encode(), hashlib.sha256).hexdigest()
        credential = f"Credential={self.access_key_id}/{scope}"
        return {
            **dated,
            "Authorization": (
                f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
            ),
        }

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self.secret_access_key}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
