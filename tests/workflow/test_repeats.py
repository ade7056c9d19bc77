"""A run made again, whole or in part, comes out the same."""

import pytest
from PIL import Image
from same import contents, made_files

pytestmark = pytest.mark.slow


def test_nothing_is_left_to_do(finished):
    before = {name: path.stat().st_mtime_ns for name, path in made_files(finished.results).items()}
    assert finished.would_run() == {}
    assert "Nothing to be done" in finished.run()
    assert {name: path.stat().st_mtime_ns for name, path in made_files(finished.results).items()} == before


def test_deleted_member_is_trained_again_to_the_same_weights(finished, results, read_jobs):
    member = finished.results / "zoo" / "members" / "00002.h5"
    member.unlink()
    printed = finished.run("results/tiny/zoo/members/00002.h5")
    assert [job["rule"] for job in read_jobs(printed)] == ["train_cohort"]
    assert contents(member) == contents(results / "zoo" / "members" / "00002.h5")
    assert finished.would_run() == {}, "an equal file made what follows stale"


def test_deleted_figure_is_drawn_again_and_nothing_else(finished, results, read_jobs):
    figure = finished.results / "figures" / "similarity_heatmap.pdf"
    figure.unlink()
    printed = finished.run("results/tiny/figures/similarity_heatmap.pdf")
    assert [job["rule"] for job in read_jobs(printed)] == ["similarity_heatmap"]
    assert figure.read_bytes() == (results / "figures" / "similarity_heatmap.pdf").read_bytes()
    assert finished.would_run() == {}


def test_jobs_run_the_code_beside_the_snakefile(finished, results, read_jobs):
    # Not an installed wsl's: its digest is not the one that makes jobs stale.
    finished.append("wsl/figures/output_metrics.py", "\n\nCOLUMN = 5\n")
    printed = finished.run("results/tiny/figures/output_metrics.png")
    assert [job["rule"] for job in read_jobs(printed)] == ["output_metrics"]
    with Image.open(finished.results / "figures" / "output_metrics.png") as image:
        assert image.width == 2000  # two columns of 5 inches, 200 dots per inch
