"""The room that runs: the worker process and its wiring."""
