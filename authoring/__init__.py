"""The room that reads.

Turns a folder of journeys (YAML, messages, conditions, policy, scenarios) into checked,
frozen values, or into the list of every mistake in it. It sends nothing and stores nothing.
"""
