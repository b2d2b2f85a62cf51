"""Whether a program or a reader fetched a link or a picture of a message.

Mail security follows every link at delivery, mail programs fetch pictures ahead, messengers
make previews. None of that is somebody who reads. Decided by what the request itself shows
and by how soon after the sending it came. The surprising fact: scanners mostly call
themselves a browser, so the clock tells more of them apart than their names do; and a reader
who is very quick counts for none, which is the smaller mistake: clicks decide what customers
get next.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

# Scanners follow links while the mail is being delivered. Nobody has a mail in front of them,
# has read it and pressed a button within this time of our handing it over.
_TOO_SOON = timedelta(seconds=10)

# What programs say of themselves: crawlers, scanners of mail, previews of messengers, libraries.
_PROGRAM = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|scan|preview|prefetch|fetch|monitor|validator|checker|"
    r"barracuda|proofpoint|mimecast|safelinks|symantec|trend ?micro|fireeye|sophos|bitdefender|"
    r"facebookexternalhit|whatsapp|telegram|skype|slack|discord|embedly|"
    r"curl/|wget|python|java/|okhttp|go-http|node|axios|libwww|headless|phantom|selenium",
    re.IGNORECASE,
)

# Apple Mail's privacy proxy fetches every picture, read or not, under this bare name
# (developer.apple.com/forums: "Mail Privacy Protection").
_APPLE_PROXY = "Mozilla/5.0"

# Fetched before anybody asked for it (developer.mozilla.org, "Sec-Purpose").
_AHEAD = ("sec-purpose", "purpose", "x-purpose", "x-moz")


def is_machine(
    method: str, headers: Mapping[str, str], sent_at: datetime | None, now: datetime
) -> bool:
    """Whether a program made this request. Names of `headers` are in small letters."""
    if method != "GET":
        return True
    if any("prefetch" in headers.get(name, "").lower() for name in _AHEAD):
        return True
    agent = headers.get("user-agent", "").strip()
    if not agent or agent == _APPLE_PROXY or _PROGRAM.search(agent):
        return True
    return sent_at is not None and now - sent_at < _TOO_SOON
