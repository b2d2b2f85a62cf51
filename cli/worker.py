"""`parcours worker`: the process that runs the enrollments and sends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime


def worker() -> None:
    """Run the worker: enrollments wake up here, and messages go out."""
    import structlog

    from settings import load
    from worker.logs import configure_logs

    settings = load()
    configure_logs(settings.log_format)

    async def run() -> None:
        from activities.places import e164
        from api.services import Services
        from cli.store import opened
        from worker.connection import connect
        from worker.desk import build_desk
        from worker.freed import give_back_what_is_freed
        from worker.running import build_worker
        from worker.stopping import told_to_stop, until_told

        give_back_what_is_freed()
        with told_to_stop() as told:
            async with opened(settings) as database:
                client = await connect(settings)
                desk = build_desk(settings, database, lambda: datetime.now(UTC))
                # Steps of a channel that is not among them wait for somebody to carry it.
                carried = {channel: each.name for channel, each in desk.providers.items()}
                structlog.get_logger("parcours.worker").info("channels", **carried)
                services = Services(database=database, settings=settings, read_phone=e164)
                built = build_worker(
                    client, desk, settings.task_queue, settings.graceful_shutdown, services
                )
                working = asyncio.create_task(built.run(), name="worker")
                try:
                    await until_told(told, [working])
                finally:
                    await built.shutdown()
                    await asyncio.wait([working])

    asyncio.run(run())
