"""The coordinator: runs rounds in which members' statistics are summed unseen."""
