"""Whether a marketing message tells its readers how to be rid of it, as the law asks it to.

Decides by the templates' syntax trees, in every language that the message is in; a link that
is shown on a condition counts. Knows no journey: which messages are marketing, the caller
does. The surprising fact: the header that mail programs make a button of is always there, and
is not enough, for most readers never see one.
"""

import re
from collections.abc import Mapping

from jinja2 import TemplateNotFound, nodes

from rendering.errors import TemplateError
from rendering.sandbox import Sandbox
from rendering.sources import HTML, SMS, TEXT, MessageSource, locale_chain, place, split
from rendering.templates import compiled

# Either leads out: one at once, the other by a page on which customers choose.
_WAYS_OUT = frozenset({"unsubscribe", "preferences"})
_STOP = re.compile(r"\bstop\b", re.IGNORECASE)


def mails_without_a_way_out(source: MessageSource) -> list[str]:
    """The HTML files that neither by themselves nor by their layout link to a way out."""
    sandbox = compiled(source)
    return [
        path
        for path in sorted(source.files)
        if split(path)[1] == HTML
        and not _leads_out(sandbox, source.full_name(path))
        and not _leads_out(sandbox, source.full_name(place(split(path)[0], TEXT)))
    ]


def texts_without_a_way_out(
    source: MessageSource, stop_text: Mapping[str, str], default_locale: str
) -> list[str]:
    """The text messages that don't say how to stop them, and below which nothing is put."""
    sandbox = compiled(source)
    return [
        path
        for path, text in sorted(source.files.items())
        if split(path)[1] == SMS
        and not any(each in stop_text for each in locale_chain(split(path)[0] or default_locale))
        and not _STOP.search(text)
        and not _leads_out(sandbox, source.full_name(path))
    ]


def _leads_out(sandbox: Sandbox, name: str) -> bool:
    waiting, seen = [name], {name}
    while waiting:
        current = waiting.pop()
        try:
            tree = sandbox.tree(sandbox.source(current), current)
        except (KeyError, TemplateError):
            continue  # there is none, or a mistake is told elsewhere
        if any(_is_way_out(each) for each in tree.find_all((nodes.Getattr, nodes.Getitem))):
            return True
        for each in tree.find_all((nodes.Extends, nodes.Include)):
            found = _meant(sandbox, each, current)
            if found is not None and found not in seen:
                seen.add(found)
                waiting.append(found)
    return False


def _meant(sandbox: Sandbox, node: nodes.Node, current: str) -> str | None:
    template = getattr(node, "template", None)
    if not isinstance(template, nodes.Const):
        return None
    try:
        return sandbox.join_path(str(template.value), current)
    except TemplateNotFound:
        return None


def _is_way_out(node: nodes.Node) -> bool:
    match node:
        case nodes.Getattr(node=nodes.Name(name="links")):
            return node.attr in _WAYS_OUT
        case nodes.Getitem(node=nodes.Name(name="links"), arg=nodes.Const(value=key)):
            return key in _WAYS_OUT
        case _:
            return False
