"""Which customers have to do with one another: those that are joined, and colleagues.

Everything else is played alone. Pure; the surprising fact is that whoever was ever in one
company belongs together here for good, also those who left it: what they did there counts.
"""

from collections.abc import Iterable, Sequence

from engine.calls import Group, Played


def clusters(calls: Iterable[Played]) -> list[Sequence[Played]]:
    """The calls, apart by who has to do with whom; each in the order given."""
    ordered = list(calls)
    parents: dict[str, str] = {}

    def root(name: str) -> str:
        parents.setdefault(name, name)
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    for call in ordered:
        root(call.customer_id)
        for each in call.formerly:
            parents[root(each)] = root(call.customer_id)
        if isinstance(call, Group):
            # A line feed is in no customer's id, so this is nobody's.
            parents[root(f"\n{call.company_id}")] = root(call.customer_id)
    found: dict[str, list[Played]] = {}
    for call in ordered:
        found.setdefault(root(call.customer_id), []).append(call)
    return list(found.values())
