"""What tests of the library begin with: a migrated file to copy."""

from tests.store.conftest import migrated_file

__all__ = ["migrated_file"]
