"""When an address that bounces softly is given up.

A hard bounce or a complaint is the last message at once. A soft one says "not now": a full
mailbox, a server that is down. Only when it goes on for days does it mean that nobody is
there; and one delivery in between shows that somebody is.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

# What providers themselves use (Mailgun, SendGrid and SparkPost between three and five): an
# outage of one weekend is not enough, a mailbox that stays full is.
DAYS = 3
WITHIN = timedelta(days=30)


def is_given_up(
    bounced_at: Sequence[datetime], delivered_at: datetime | None, now: datetime
) -> bool:
    """Whether soft bounces on `DAYS` days, within `WITHIN`, followed the last delivery."""
    since = now - WITHIN
    if delivered_at is not None and delivered_at > since:
        since = delivered_at
    return len({at.date() for at in bounced_at if since < at <= now}) >= DAYS
