"""Plain data for templates: mappings, lists, text, numbers, dates, and what is missing.

Templates see copies made here and nothing else, so there is no object whose methods they
could call. The one surprising fact: null and absent are the same thing, `Missing`. It is
false, equals none, orders below nothing, and refuses to be printed or computed with.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, NoReturn

from jinja2 import Undefined
from jinja2.utils import missing as _not_given

from rendering.errors import ExpressionFailure

# Segment events are flat or a few levels deep; what lies deeper counts as missing, so that
# one hostile event can neither exhaust the stack nor fail an otherwise good message.
MAX_DEPTH = 20


class Fields(dict[str, Any]):
    """A mapping that knows its own path (`customer.company`), for error messages."""

    __slots__ = ("path",)
    path: str


class Items(list[Any]):
    """A list that knows its own path (`event.products`)."""

    __slots__ = ("path",)
    path: str


class Missing(Undefined):
    """A field that has no value: absent or null, at any depth.

    Takes part in `if`, `and`, `or`, `not`, `==`, `in`, `default` and ordering (always
    false); anything else raises `ExpressionFailure` naming the field.
    """

    __slots__ = ("path", "siblings")

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = _not_given,
        name: str | None = None,
        exc: type[Exception] = ExpressionFailure,  # Jinja2's signature; always this one
        *,
        siblings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(hint=hint, obj=obj, name=name)
        self.path = name or ""
        self.siblings = siblings or {}

    def fail(self) -> NoReturn:
        """Say which field has no value, and what to write instead."""
        if not self.path:
            raise ExpressionFailure("the expression has no value here: add an `else`")
        stem, _, last = self.path.rpartition(".")
        close = get_close_matches(last, filter(str.isidentifier, self.siblings), n=1)
        hint = f", did you mean `{stem}.{close[0]}`?" if close else ""
        raise ExpressionFailure(
            f"`{self.path}` has no value{hint or ': use `| default(…)`, or test it with `if`'}"
        )

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Missing)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(None)

    def __bool__(self) -> bool:
        return False

    def _never(self, other: object) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _never  # type: ignore[assignment] # Jinja2's raise

    def __contains__(self, item: object) -> bool:
        return False

    def __str__(self) -> NoReturn:
        self.fail()

    def __iter__(self) -> Iterator[Any]:
        self.fail()

    def __repr__(self) -> str:
        return f"Missing({self.path})"

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        self.fail()

    __html__ = __len__ = __getitem__ = __call__ = _refuse
    __int__ = __float__ = __complex__ = __round__ = __abs__ = __index__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _refuse
    __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __pos__ = _refuse
    __div__ = __rdiv__ = _refuse


NONE = Missing(name="none")


def plain(value: object, path: str = "") -> Any:
    """A copy of `value` made of plain data only; what was made here before is returned as it is.

    Raises TypeError for objects that are not data: that is our bug, not the author's.
    """
    return _copy(value, path, 0)


def _copy(value: object, path: str, depth: int) -> Any:
    kind = type(value)
    if kind in _EXACT:
        return value
    if value is None or depth > MAX_DEPTH:
        return Missing(name=path)
    if isinstance(value, dict | Mapping):  # in this order: the second is dear to ask
        fields = Fields()
        fields.path = path
        for key, each in value.items():
            if each is not None:  # absent and null are one thing
                name = key if type(key) is str else str(key)
                if type(each) not in _EXACT:
                    each = _copy(each, f"{path}.{_tellable(name)}", depth + 1)
                fields[name] = each
        return fields
    if isinstance(value, list | tuple):
        items = Items(_copy(each, f"{path}[{i}]", depth + 1) for i, each in enumerate(value))
        items.path = path
        return items
    for base in (str, bool, int, float, Decimal):
        if isinstance(value, base):  # a subclass (an enum, a Markup): only its value counts
            return str.__str__(value) if base is str else base(value)
    if isinstance(value, date):
        return value
    raise TypeError(f"`{path}`: a template can't be given a {kind.__name__}")


def _tellable(name: str) -> str:
    """A field's name as errors may tell it: what is no plain name may be somebody's address."""
    return name if name.isidentifier() else "…"


# `Fields` and `Items` were made here: copying them again would cost every condition its time.
_EXACT = frozenset({str, int, float, bool, Decimal, datetime, date, Fields, Items, Missing})
