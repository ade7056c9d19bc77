"""The sampler of a run, and a user's images, as for the commands."""

from tests.cli.conftest import photos, run, sampler_of  # noqa: F401
