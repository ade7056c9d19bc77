# The origin of the run's tables: versions, seed, machine.


use rule job as about_tables with:
    input:
        tables=[path for path in map(str, RESULTS_OF_RUN) if path.startswith(f"{OUT}/tables/")],
    output:
        out=PATHS / "tables/about.json",
    log:
        PATHS.log("about_tables"),
    localrule: True
    params:
        **call("wsl.report.about.write_about", config=RUN.shown_config()),


RESULTS_OF_RUN += rules.about_tables.output
