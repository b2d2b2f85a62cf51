"""The activities' names, for the workflows: they order by name and import nothing else."""

DELIVER = "deliver"
RECORD = "record"
BROADCAST_PAGE = "broadcast_page"
