"""What a marketing mail holds by which its reader may be observed: no more than they allow.

Decides nothing itself: what may be kept of whom is `engine.purposes`'s to say, and is asked
again when a link is followed. A transactional mail holds nothing of the kind.
"""

from activities.wording.draft import Draft
from engine.purposes import may_track_clicks, may_track_opens
from rendering.links import Click, Open
from rendering.tracking import with_clicks, with_pixel


def observed(draft: Draft, html: str) -> str:
    """The HTML with links that lead by way of us, and a pixel, as far as either may be."""
    topic, links = draft.go.topic, draft.links
    if topic is None:
        return html
    policy, said = draft.case.policy, draft.case.facts.words
    if may_track_clicks(policy, topic, said):
        html = with_clicks(html, links.base, lambda url: links.url(Click(draft.key, url)))
    if may_track_opens(policy, topic, said):
        html = with_pixel(html, links.url(Open(draft.key)))
    return html
