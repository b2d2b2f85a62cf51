"""Lists of those who may get messages outside production, as a setting writes them.

Addresses, `*@domain`, phone numbers, names of webhooks' hosts, with commas between them. What
they are for is `activities.staging`'s to say. The surprising fact: letters have a word, and
not an address, which has commas itself.
"""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

# What allows letters: an address has commas, and a provider's test key prints nothing.
POST = "post"

# Coarse on purpose: they tell slips of the pen, not what a mail server would take.
_EMAIL = re.compile(r"[^\s@,*]+@[^\s@,*]+")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_RECIPIENT = re.compile(
    rf"{_EMAIL.pattern}|\*@[^\s@,*]+|{_PHONE.pattern}|[a-z0-9-]+(\.[a-z0-9-]+)+"
)


def check_recipients(value: str) -> str:
    """The list as it is. Raises ValueError, which names the part that is wrong."""
    for each in split_list(value):
        if each != "post" and not _RECIPIENT.fullmatch(each):
            raise ValueError(
                f"`{each}` is none of these: an address, `*@example.com`, a phone number like "
                "`+33612345678`, the name of a webhook's host, or `post` for letters"
            )
    return value


def check_redirect(value: str) -> str:
    """Who stands in for everybody, as it is. Raises ValueError."""
    found = split_list(value)
    emails = [each for each in found if _EMAIL.fullmatch(each)]
    phones = [each for each in found if _PHONE.fullmatch(each)]
    if not found or len(emails) > 1 or len(phones) > 1 or len(emails) + len(phones) < len(found):
        raise ValueError(
            f"`{value}` is not one e-mail address, or one and a phone number: write "
            "`team@example.com` or `team@example.com,+33612345678`"
        )
    return value


def split_list(text: str | None) -> tuple[str, ...]:
    """The parts of a setting that lists several, with commas between them."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def is_listed(allowed: Collection[str], channel: str, address: str) -> bool:
    """Whether a list names it: an address, `*@domain`, a phone number, or a host's name."""
    names = {each.casefold() for each in allowed}
    if channel == "post":
        return POST in names
    if channel == "webhook":
        return (urlsplit(address).hostname or "").casefold() in names
    wanted = address.casefold()
    domain = wanted.rpartition("@")[2]
    return wanted in names or (channel == "email" and f"*@{domain}" in names)
