"""The schema of the config: one pydantic model a section."""
