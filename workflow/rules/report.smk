# Figures and the report. wsl/figures lists the figures, and wsl/report/contents.py the tables.
from wsl.figures.catalogue import figures_of
from wsl.report.contents import contents

FIGURES = refuse(lambda: figures_of(RUN))
CONTENTS = contents(RUN, FIGURES)
SHOWN_FIGURES, SHOWN_TABLES = (
    [item["name"] for item in CONTENTS if item["kind"] == kind] for kind in ("figure", "table")
)
PLUGIN_CAPTIONS = {("figure", figure.name): figure.caption for figure in FIGURES if figure.caption}


def caption_file(kind, name):
    """The caption of a figure or table, as seen from the working directory, so that a moved project is not stale."""
    built_in = Path(workflow.basedir, "workflow", "report", f"{name}.rst")
    return os.path.relpath(PLUGIN_CAPTIONS.get((kind, name), built_in))


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
                caption=os.path.abspath(caption_file("figure", figure.name)),
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


rule html_report:
    input:
        figures=[PATHS.figure(name) for name in SHOWN_FIGURES],
        tables=[PATHS.table(name) for name in SHOWN_TABLES],
        captions=[caption_file(item["kind"], item["name"]) for item in CONTENTS],
        summary=PATHS.summary,
    output:
        out=PATHS.report,
    log:
        PATHS.log("html_report"),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        **call("wsl.report.page.write_report", config=RUN.config, facts=FACTS, contents=CONTENTS),
    script:
        CALL
