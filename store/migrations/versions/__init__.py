"""The steps, named by date and purpose; each is written once and never edited after release."""
