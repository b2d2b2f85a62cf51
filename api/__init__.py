"""The room that listens: events in, support, links in messages, the mailbox."""
