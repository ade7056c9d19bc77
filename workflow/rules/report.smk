# Figures and the report. wsl/figures lists the figures, and wsl/report/contents.py the tables.
from wsl.figures.catalogue import figures_of
from wsl.report.contents import contents

FIGURES = refuse(lambda: figures_of(RUN))
CONTENTS = contents(RUN, FIGURES)
SHOWN_FIGURES, SHOWN_TABLES = (
    [item["name"] for item in CONTENTS if item["kind"] == kind] for kind in ("figure", "table")
)
PLUGIN_CAPTIONS = {("figure", figure.name): figure.caption for figure in FIGURES}


# Each figure is a target of its own: results/<run>/figures/<name>.pdf, drawn by wsl/figures/<name>.py. The report shows
# the bitmap, since every browser can.
for figure in FIGURES:

    rule:
        name:
            figure.name
        input:
            **figure.inputs,
        output:
            pdf=PATHS.figure(figure.name, "pdf"),
            png=report(
                PATHS.figure(figure.name),
                caption=figure.caption and str(figure.caption.absolute()) or f"../report/{figure.name}.rst",
                category=figure.category,
                labels={"figure": figure.title},
            ),
        log:
            PATHS.log(figure.name),
        localrule: True
        conda:
            ENVIRONMENT
        params:
            **call(figure.call, **figure.settings),
        script:
            CALL


use rule job as html_report with:
    input:
        figures=[PATHS.figure(name) for name in SHOWN_FIGURES],
        tables=[PATHS.table(name) for name in SHOWN_TABLES],
        captions=[caption_file(item["name"], PLUGIN_CAPTIONS.get((item["kind"], item["name"]))) for item in CONTENTS],
        summary=PATHS.summary,
    output:
        out=PATHS.report,
    log:
        PATHS.log("html_report"),
    localrule: True
    params:
        **call("wsl.report.page.write_report", config=RUN.shown_config(), facts=FACTS, contents=CONTENTS),


use rule job as explore with:
    input:
        **(
            {
                "accuracy": PATHS.table("accuracy"),
                "packed": PATHS.all_packed,
                "class_means": PATHS.class_means,
                "bins": PATHS.bins,
                "shared": PATHS.shared(),
            }
            if RUN.has_images
            else {}
        ),
        latents=[*map(PATHS.latents, RUN.parts)],
        members=PATHS.table("members"),
        history=PATHS.zoo_history,
        summary=PATHS.summary,
    output:
        out=PATHS.explore,
    log:
        PATHS.log("explore"),
    localrule: True
    params:
        **call("wsl.explore.page.make_page", run=RUN.config.run, superclasses=RUN.superclasses, seed=RUN.seed("map")),


RESULTS_OF_RUN = [
    *rules.html_report.output,
    *rules.explore.output,
    *rules.html_report.input.figures,
    *rules.html_report.input.tables,
    *[PATHS.figure(name, "pdf") for name in SHOWN_FIGURES],
    *([*rules.sample.output, *rules.describe_sampler.output] if RUN.has_images else map(PATHS.latents, RUN.parts)),
]
