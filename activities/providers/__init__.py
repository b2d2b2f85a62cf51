"""Those who carry a message to its reader: one file each, chosen by settings."""
