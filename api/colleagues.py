"""Companies: a customer joins one, its traits move every member, a colleague's event counts.

Decides nothing about journeys. The one surprising fact: members are locked only where some
journey minds the company at all, and something about it has changed; so the `group` call
that many apps send with every page costs next to nothing.
"""

from dataclasses import replace

from api.carrying import Carrier
from api.people import Person
from engine.calls import Group, Track
from engine.routing import route_identify
from store.traits import merge_traits


async def join_company(carrier: Carrier, person: Person, call: Group) -> None:
    """The customer belongs to the company, unless a newer call said otherwise; its traits merge."""
    company, row = carrier.locked.companies[call.company_id], person.row
    is_newest = row.company_at is None or call.at >= row.company_at
    is_new = is_newest and row.company_id != company.id
    others = [each for each in carrier.members(company.id) if each is not person]
    before = [(each, each.profile()) for each in (person, *others)]
    has_changed = merge_traits(company, call.traits, call.at)
    if has_changed:
        company.updated_at = carrier.services.wall()
    if is_newest:
        row.company_id, row.company_at, person.company = company.id, call.at, company
    if not (is_new or has_changed) or person.is_anonymous:
        return
    if carrier.watched.company_versions:
        carrier.locked.need_members(company.id)
    for each, profile in before:
        effects = route_identify(call, profile, each.profile(), each.enrolled)
        await carrier.carry_out(each, call, effects)
    if is_new:
        await exchange(carrier, person)


async def tell_colleagues(carrier: Carrier, person: Person, track: Track) -> None:
    """What the customer did counts for colleagues whose journeys say `of: company`."""
    company_id = person.row.company_id
    if company_id is None or track.event not in carrier.watched.of_company:
        return
    if person.is_anonymous:
        return
    carrier.locked.need_members(company_id)
    for colleague in carrier.members(company_id):
        if colleague is not person:
            await carrier.route(colleague, replace(track, by_colleague=True), starts=False)


async def exchange(carrier: Carrier, newcomer: Person) -> None:
    """What newcomer and colleagues did before counts for one another from now on."""
    company_id, names = newcomer.row.company_id, carrier.watched.of_company
    if company_id is None or not names:
        return
    carrier.locked.need_members(company_id)
    for enrolled in list(newcomer.enrolled):
        await carrier.hear_colleagues(newcomer, enrolled)
    mine = await carrier.happened(newcomer, names)
    for colleague in carrier.members(company_id):
        if colleague is not newcomer:
            for event in mine:
                track = replace(carrier.as_track(event), by_colleague=True)
                await carrier.route(colleague, track, starts=False)
