"""`python -m cli`: the `parcours` command where the project is not installed."""

from cli.main import main

main()
