# What happens at the start and the end of a run, besides its jobs.

from wsl.jobs.devices import describe_devices
from wsl.launch.rounds import wait_only_at_the_limit
from wsl.launch.serving import FEWEST, JobServer, modules_of
from wsl.report.contents import planned_warnings
from wsl.runs.disk import check_disk
from wsl.runs.summary import print_summary
from wsl.watch.record import COMPLETED, FAILED, INTERRUPTED, StepsHandler, write_record

STEPS = StepsHandler(OUT)
SERVER = JobServer(PREFIX, lambda: STOPPING.number is not None)


def own(jobs):
    """Return the jobs of this run: a Snakefile that uses the workflow as a module may add rules and other runs."""
    return [job for job in jobs if job.rule.module_globals.get("OUT") == OUT]


def begin():
    refuse(lambda: RUN.check_data({str(path) for job in own(workflow.dag.needrun_jobs()) for path in job.output}))
    print("Devices:", describe_devices())
    print("Disk:", refuse(lambda: check_disk(RUN, Path(OUT))))
    for warning in planned_warnings(RUN):
        print("Warning:", warning)
    write_record(OUT, RUN.trained, recorded_jobs(workflow.dag), STOPPING.command, RUN.config.zoo.cohort)
    STEPS.begin()
    logger.addHandler(STEPS)
    # Again, since Snakemake's scheduler has installed its own handler of SIGTERM, which waits for all running jobs.
    STOPPING.install()
    STOPPING.at_stop(lambda: STEPS.add(INTERRUPTED))
    wait_only_at_the_limit(workflow.scheduler)
    start_server(workflow.dag.needrun_jobs())


def succeed():
    STEPS.add(COMPLETED)
    print_summary(OUT)


def fail():
    STOPPING.end()
    STEPS.add(FAILED)
    print(f"Jobs failed; finished files are kept. Resume: {STOPPING.command}")


onstart:
    begin()


onsuccess:
    succeed()


onerror:
    fail()


# Snakemake calls only the handlers of its main Snakefile, and reads a module again for each rule that is changed by
# `use rule ... with`. Handlers that the main Snakefile defines before its `module` statement are called first.
if MODULE and OUT not in vars(workflow).setdefault("wsl_modules", set()):
    workflow.wsl_modules.add(OUT)
    for name, handler in (("_onstart", begin), ("_onsuccess", succeed), ("_onerror", fail)):
        first = getattr(workflow, name)
        setattr(workflow, name, lambda log, first=first, handler=handler: (first(log), handler()))


def recorded_jobs(dag):
    """Return all jobs that create files, in the order of their rules; `wsl watch` compares the run with them."""
    places = {one.name: place for place, one in enumerate(workflow.rules)}
    jobs = [job for job in sorted(own(dag.jobs), key=lambda job: places[job.rule.name]) if job.output]
    place_of = {job: place for place, job in enumerate(jobs)}
    return [
        {
            "outputs": list(map(str, job.output)),
            "log": str(job.log[0]),
            "due": dag.needrun(job),
            "needs": sorted(place_of[need] for need in dag.dependencies[job] if need in place_of),
            "share": taken_by(job),
        }
        for job in jobs
    ]


def start_server(jobs):
    """Start the server of jobs if enough of them run on this machine, in this Python."""
    jobs = [job for job in jobs if job.rule.script]
    here = workflow.is_main_process and workflow.local_exec and not workflow.touch
    if here and not workflow.deployment_settings.deployment_method and len(jobs) >= FEWEST:
        every = [job.params for job in {job.rule: job for job in jobs}.values()]  # of one job per rule
        # Rules of other Snakefiles, which use this one as a module, call no function.
        SERVER.start(
            modules_of(params["call"] for params in every if "call" in params.keys()), sys.modules["snakemake.shell"]
        )
        STOPPING.at_stop(SERVER.stop)


def taken_by(job):
    """Return the fraction of this start's resources that a job takes: of cores and GPUs, or of a cluster's jobs."""
    if not workflow.is_local(job.rule):
        return 1 / workflow.nodes
    limits = workflow.global_resources
    # Numbers or objects, depending on the version of Snakemake; on a cluster, cores may be unlimited.
    cores, devices = (getattr(limits.get(name), "value", limits.get(name)) for name in ("_cores", "gpu"))
    shares = [job.threads / min(cores or 1, os.cpu_count())]
    if devices:
        shares.append(job.scheduler_resources.get("gpu", 0) / devices)
    return min(max(shares), 1)
