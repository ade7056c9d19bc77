from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")


# A config file given on the command line replaces the default one. If both were merged, missing keys would take the
# values of config/config.yaml instead of the schema's defaults.
if not workflow.overwrite_configfiles:

    configfile: str(Path(workflow.basedir, "config", "config.yaml"))


include: "workflow/rules/common.smk"
include: "workflow/rules/job.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/zoo.smk"


if RUN.mixed:

    include: "workflow/rules/mixed.smk"

else:

    include: "workflow/rules/weights.smk"
    include: "workflow/rules/datasets.smk"
    include: "workflow/rules/sampling.smk"
    include: "workflow/rules/evaluation.smk"
    include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        RESULTS_OF_RUN,
        rules.plan.output,
    localrule: True


onstart:
    refuse(lambda: RUN.check_data({str(path) for job in workflow.dag.needrun_jobs() for path in job.output}))
    print("Devices:", describe_devices())
    print("Disk:", refuse(lambda: check_disk(RUN, Path(OUT))))
    for warning in planned_warnings(RUN):
        print("Warning:", warning)
    write_record(OUT, RUN.trained, recorded_jobs(workflow.dag), STOPPING.command)
    STEPS.begin()
    logger.addHandler(STEPS)
    # Again, since Snakemake's scheduler has installed its own handler of SIGTERM, which waits for all running jobs.
    STOPPING.install()
    STOPPING.at_stop(lambda: STEPS.add(INTERRUPTED))
    start_server(workflow.dag.needrun_jobs())


onsuccess:
    STEPS.add(COMPLETED)
    print_summary(OUT)


onerror:
    STOPPING.end()
    STEPS.add(FAILED)
    print(f"Jobs failed; finished files are kept. Resume: {STOPPING.command}")
