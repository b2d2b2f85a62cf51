"""The room that commands: the `parcours` command."""
