"""The report of a run: its page, its captions, and what a reader should know before believing it."""
