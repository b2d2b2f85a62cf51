"""What an e-mail address may look like."""

import re

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def valid_email(text: str) -> bool:
    """Whether mail can be sent there at all."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None
