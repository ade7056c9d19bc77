"""Zoos that others made, read into this project's files; and this project's members written as others read them."""
