"""The room that remembers: tables, repositories, migrations, versions."""
