"""The templates of a message: which words they know, and the sandbox that holds them.

Decides what a template may refer to and what its `extends` means. Knows no customer. The
surprising fact: a message's own `layout.html` may extend the shared one of the same name.
"""

from functools import lru_cache

from rendering.filters import FILTERS, TESTS
from rendering.grammar import Vocabulary
from rendering.sandbox import Sandbox
from rendering.sources import MessageSource, split

# The groups whose fields we make ourselves, so that a typo in them is found by `check`.
_CLOSED = (
    ("sender", frozenset({"name", "email", "reply_to"})),
    ("policy", frozenset({"postal_address", "currency"})),
    ("links", frozenset({"unsubscribe", "preferences", "confirm"})),
    ("offer", frozenset({"code", "percent", "amount", "free_shipping", "expires_at"})),
)
WORDS = Vocabulary(
    names=frozenset(
        {"customer", "event", "start_event", "journey", "step", "sender", "policy", "links"}
        | {"offer", "locale", "now"}
    ),
    functions=frozenset({"range", "super"}),
    filters=FILTERS,
    tests=frozenset(TESTS),
    closed=_CLOSED,
)


# More messages than a process sends in a day, at about 100 KB each.
@lru_cache(maxsize=512)
def compiled(source: MessageSource) -> Sandbox:
    """The sandbox over a message's files and layouts; each is compiled when first needed."""
    texts = {
        **source.layouts,
        **{source.full_name(path): text for path, text in source.files.items()},
    }
    languages = {name: split(path)[0] for name, path in _names(source).items()}

    def resolve(wanted: str, parent: str) -> str | None:
        own = parent not in source.layouts
        same = split(_names(source)[parent])[1] == wanted
        if same and not own:
            return None  # a shared layout that extends itself
        return source.find_layout(wanted, languages[parent], shared=same)

    return Sandbox(WORDS, texts, resolve)


def _names(source: MessageSource) -> dict[str, str]:
    """Path by full name."""
    return {path: path for path in source.layouts} | {
        source.full_name(path): path for path in source.files
    }
