"""Files of a run: written atomically, read with messages that name the cause and a remedy."""
