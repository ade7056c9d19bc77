"""The config: reading, schema, renamed keys, and minimum sizes."""
