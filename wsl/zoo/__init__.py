"""Train the members of the zoo and index their snapshots (thesis section 3.1)."""
