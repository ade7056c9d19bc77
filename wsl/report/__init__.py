"""The report of a run: its page, its captions, and warnings about its numbers."""
