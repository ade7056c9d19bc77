from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")


# A config file named on the command line stands alone: merged into the default, keys that it leaves out would take
# the embedded default's values in place of the schema's.
if not workflow.overwrite_configfiles:

    configfile: str(Path(workflow.basedir, "config", "config.yaml"))


include: "workflow/rules/common.smk"
include: "workflow/rules/downloads.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/zoo.smk"
include: "workflow/rules/weight_encoders.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/autoencoder.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/outcomes.smk"
include: "workflow/rules/sampling.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/bench.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        rules.html_report.output,
        rules.html_report.input.figures,
        rules.html_report.input.tables,
        expand(f"{OUT}/figures/{{figure}}.pdf", figure=FIGURES),
        rules.sample.output,
        rules.describe_sampler.output,
        rules.plan.output,
    localrule: True


onstart:
    refuse(lambda: RUN.check_data({str(path) for job in workflow.dag.needrun_jobs() for path in job.output}))
    print("Devices:", describe_devices())
    print("Disk:", refuse(lambda: check_disk(RUN, Path(OUT))))
    for warning in few_sets(RUN.plan):
        print("Warning:", warning)
    write_record(OUT, RUN.plan, recorded_jobs(workflow.dag), STOPPING.command)
    STEPS.begin()
    logger.addHandler(STEPS)
    # Once more: Snakemake's scheduler has taken SIGTERM meanwhile, and would wait until all running jobs are done.
    STOPPING.install()
    STOPPING.at_stop(lambda: STEPS.add(INTERRUPTED))


onsuccess:
    STEPS.add(COMPLETED)
    print_summary(OUT)


onerror:
    STOPPING.end()
    STEPS.add(FAILED)
    print(f"Jobs failed; what is finished is kept. Resume: {STOPPING.command}")
