"""Outside production: to whom messages go there, and how they say where they come from.

Asked after the gate has let a message out, so that everything before is as in production.
Whoever is on the list gets their own messages; for all others there is the address that
stands in for everybody, or the answer `not_allowed`. The surprising fact: production's
`Staging` is one that does nothing, and outside of it nothing has to be remembered for a new
channel: what no list allows and no address stands in for does not go out.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from engine.enrollment import Settled
from engine.gate import OWN, Go
from engine.reasons import Decision, Reason
from engine.recipients import is_listed

# Reaches nobody, as what we tell ourselves doesn't either.
_HARMLESS = "mailbox"


@dataclass(frozen=True)
class Staging:
    """The rules of one process. `allowed` as in the settings; None: everybody is.

    `redirect_email` and `redirect_phone` stand in for those who are not allowed, `label`
    comes before each subject.
    """

    allowed: Collection[str] | None = None
    redirect_email: str | None = None
    redirect_phone: str | None = None
    label: str | None = None

    def placed(self, go: Go, provider: str) -> Go | Settled:
        """Where it goes from here; `provider` names who would carry it."""
        if self.allowed is None or provider == _HARMLESS or go.channel in OWN:
            return go
        if is_listed(self.allowed, go.channel, go.address):
            return go
        instead = {"email": self.redirect_email, "sms": self.redirect_phone}.get(go.channel)
        if instead is None:
            return Settled(decision=Decision.NOT_SENT, reason=Reason.NOT_ALLOWED)
        return replace(go, address=instead, intended=go.address)


PRODUCTION = Staging()
