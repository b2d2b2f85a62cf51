"""The room that does: `deliver`, `record` and the providers they call."""
