"""`parcours api`: the process that listens, with the dispatcher beside it."""

from __future__ import annotations

import asyncio


def api() -> None:
    """Run the API; while Temporal is away it accepts events and keeps them for later."""
    from settings import load
    from worker.logs import configure_logs

    settings = load()
    configure_logs(settings.log_format)

    async def run() -> None:
        from activities.places import e164
        from api.services import Services
        from cli.store import opened
        from worker.connection import connect
        from worker.freed import give_back_what_is_freed
        from worker.garbage import collect_seldom
        from worker.stopping import told_to_stop, until_told
        from worker.web import serving

        collect_seldom()
        give_back_what_is_freed()
        with told_to_stop() as told:
            async with opened(settings) as database:
                temporal = await connect(settings, lazy=True)
                services = Services(
                    database=database, settings=settings, temporal=temporal, read_phone=e164
                )
                async with serving(services) as answering:
                    await until_told(told, [answering])

    asyncio.run(run())
