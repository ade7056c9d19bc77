"""Keep the share of Snakemake's scheduler independent of the number of finished jobs."""

from typing import Any


def wait_only_at_the_limit(scheduler: Any) -> None:
    """Make a scheduler of Snakemake look again after a time only if its limit of jobs per time holds jobs back.

    After each round with ready jobs, Snakemake 9 starts a timer (``--max-jobs-per-timespan``, 1 s by default) that
    starts another round. Rounds of finished jobs each begin such a chain, so the rounds per second grow with the number
    of finished jobs. A timer is only needed after a round that used up the limit. Without these names, in another
    version, nothing is changed.
    """
    wait, limiter = getattr(scheduler, "_schedule_reevalutation", None), getattr(scheduler, "job_rate_limiter", None)
    if wait is None or limiter is None:
        return

    def wait_if_limited(delay: float) -> None:
        if delay != limiter.timespan or not limiter.get_free_jobs():
            wait(delay)

    scheduler._schedule_reevalutation = wait_if_limited
