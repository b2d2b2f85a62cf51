"""The room that lasts: the durable workflow around the engine."""
