"""What providers report about messages: one file each that reads, one that acts on all of it."""
