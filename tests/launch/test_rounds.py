"""Rounds of Snakemake's scheduler, with its own limiter of jobs per time."""

import inspect
from types import SimpleNamespace

from snakemake.scheduling.job_scheduler import JobRateLimiter, JobScheduler
from snakemake.settings.types import MaxJobsPerTimespan

from wsl.launch.rounds import wait_only_at_the_limit


def test_snakemake_waits_only_if_its_limit_is_used_up():
    waits, limiter = [], JobRateLimiter(MaxJobsPerTimespan(2, "60s"))
    scheduler = SimpleNamespace(_schedule_reevalutation=waits.append, job_rate_limiter=limiter)
    wait_only_at_the_limit(scheduler)
    scheduler._schedule_reevalutation(limiter.timespan)
    limiter.register_jobs(1)
    scheduler._schedule_reevalutation(limiter.timespan)
    assert not waits
    limiter.register_jobs(1)
    scheduler._schedule_reevalutation(limiter.timespan)
    assert waits == [60]
    scheduler._schedule_reevalutation(10)  # Snakemake waits for something else
    assert waits == [60, 10]


def test_the_installed_snakemake_has_these_names():
    assert [*inspect.signature(JobScheduler._schedule_reevalutation).parameters] == ["self", "delay"]
    assert "self.job_rate_limiter = " in inspect.getsource(JobScheduler.__init__)
    wait_only_at_the_limit(SimpleNamespace())  # another version may not have them
