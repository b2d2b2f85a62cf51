"""Words: templates, conditions, message folders and the bytes of a mail.

Everything here is given values and returns values. It knows nothing of files on disk,
stores, Temporal or providers, and nothing that a template can write escapes from it,
runs for ever or grows without bound.
"""
