"""`parcours db`: what is done to the store as a whole."""

import typer

from cli.store import settings_without_links

db = typer.Typer(help="The store: make it, or bring it up to date.", no_args_is_help=True)


@db.callback()
def _group() -> None:
    """Without a callback, typer would make the only command of a group the group itself."""


@db.command()
def upgrade() -> None:
    """Bring the store's schema to the newest version; makes the store if there is none."""
    from store.database import Database

    database = Database(settings_without_links().database_url)
    database.upgrade()
    print(f"up to date: {database.url.render_as_string(hide_password=True)}")
