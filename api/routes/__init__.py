"""The addresses the API answers at, one module a group."""
