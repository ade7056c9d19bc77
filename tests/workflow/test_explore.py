"""The interactive page of the tiny run in a browser: hovering, clicking, filtering, sorting, by mouse and keyboard."""

import json

import numpy as np
import pandas as pd
import pytest
from browser import errors, missing, open_browser

from wsl.evaluation.shared_space import load_points, unit_rows
from wsl.explore.notebook import figure
from wsl.explore.page import write_page
from wsl.paths import Paths

pytestmark = pytest.mark.slow
PARTS = ("train", "validation", "test")
BORDER = 1  # of the map, in pixels


@pytest.fixture(scope="module")
def driver(tmp_path_factory, results):
    if why_not := missing():
        pytest.skip(f"no browser here: {why_not}")
    driver = open_browser(tmp_path_factory.mktemp("profile"))
    driver.get((results / "explore.html").as_uri())
    yield driver
    assert errors(driver) == []
    driver.quit()


@pytest.fixture
def run(driver):
    """Runs JavaScript in the page, where nothing is selected, kept or filtered out: ``run("return 1", *arguments)``."""
    driver.execute_script("zoom(null); state.kept = []; select(null)")
    driver.execute_script("document.querySelectorAll('#filters legend button').forEach((button) => button.click())")
    return driver.execute_script


@pytest.fixture
def mouse(driver, run):
    """Moves the mouse to a point of the map: ``mouse(kind, snapshot)`` returns the pending actions."""
    from selenium.webdriver import ActionChains

    def move(kind, snapshot):
        element = driver.find_element("id", "map")
        run("arguments[0].scrollIntoView({block: 'center'})", element)
        place = "return chart.convertToPixel({xAxisIndex: 0, yAxisIndex: 0}, at(arguments[0], arguments[1]))"
        x, y = run(place, kind, snapshot)
        x, y = x + BORDER - element.size["width"] / 2, y + BORDER - element.size["height"] / 2
        return ActionChains(driver, duration=20).move_to_element_with_offset(element, round(x), round(y))

    return move


@pytest.fixture(scope="module")
def points(results):
    """Weights, pairs and the table of all snapshots, in the order of the page."""
    paths = Paths(str(results))
    further = (paths.class_means, paths.bins, paths.shared())
    parts = [load_points(paths.latents(part), *further) for part in PARTS]
    tables = [points.snapshots.assign(part=part) for part, points in zip(PARTS, parts, strict=True)]
    weights, pairs = (np.concatenate([getattr(points, side) for points in parts]) for side in ("weights", "pairs"))
    return unit_rows(weights), unit_rows(pairs), pd.concat(tables, ignore_index=True)


def near(run, direction):
    """Return the listed neighbours in a direction, and the cosines next to them."""
    rows = run(
        "return [...document.querySelectorAll(`ol[data-direction='${arguments[0]}'] button`)]"
        ".map((row) => [Number(row.dataset.snapshot), Number(row.lastChild.textContent)])",
        direction,
    )
    return [row for row, _ in rows], [cosine for _, cosine in rows]


def test_hovering_shows_the_task_with_pictures_and_results(run, mouse, points):
    table = points[2]
    mouse("weights", 3).perform()
    tip = run("return document.querySelector('.tip')?.innerText")
    row = table.iloc[3]
    assert f"member {row['member']}, {row['snapshot']}" in tip
    assert all(name in tip for name in row["task"].split("/")) and "learning rate" in tip
    assert f"{row['validation_loss']:.3g}" in tip
    pictures = "return [...document.querySelectorAll('.tip img')].map((image) => image.naturalWidth)"
    assert len(widths := run(pictures)) == 3 and min(widths) > 0


def test_a_click_lists_the_nearest_points_in_both_directions(run, mouse, points):
    weights, pairs, table = points
    trained = (table["epoch"] > 0).to_numpy()
    mouse("pairs", 4).click().perform()
    selected = run("return state.selected")
    shown = run("return document.querySelector('#details h3').innerText")
    assert shown == f"member {table['member'][selected]}, {table['snapshot'][selected]}"
    for direction, query, candidates in (
        ("weights to pairs", weights[selected], pairs), ("pairs to weights", pairs[selected], weights)
    ):  # fmt: skip
        found, cosines = near(run, direction)
        expected = np.where(trained, candidates @ query, -np.inf)
        assert cosines == pytest.approx(np.sort(expected)[::-1][: len(found)], abs=2e-3)
        assert expected[found] == pytest.approx(cosines, abs=2e-3) and len(found) == min(10, trained.sum())
        lines = run("return chart.getOption().series.find(({id}) => id === arguments[0]).data", f"lines {direction}")
        assert len(lines) == 3 * len(found)
    other = near(run, "pairs to weights")[0][1]
    run("document.querySelector(`ol button[data-snapshot='${arguments[0]}']`).click()", other)
    assert run("return state.selected") == other


def test_keys_and_the_search_select(driver, run, points):
    from selenium.webdriver.common.keys import Keys

    table = points[2]
    place = driver.find_element("id", "map")
    place.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert run("return state.selected") == 1
    place.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert run("return state.selected") == len(table) - 1
    place.send_keys(Keys.ESCAPE)
    assert run("return state.selected") is None
    member = int(table["member"][5])
    find = driver.find_element("id", "find")
    find.clear()
    find.send_keys(str(member), Keys.ENTER)
    assert run("return state.selected") == table.index[table["member"] == member][-1]


def test_filters_and_colours(run, points):
    table = points[2]
    run("addFilter('validation_accuracy')")
    least = float(table["validation_accuracy"].median()) + 1e-3
    run(
        "const input = document.querySelector('#filters input'); input.value = arguments[0];"
        "input.dispatchEvent(new Event('input'))", least,
    )  # fmt: skip
    assert run("return state.visible") == table.index[table["validation_accuracy"] >= least].tolist()
    run("addFilter('part'); document.querySelector('[data-column=part] input').click()")
    biggest = table["part"].value_counts().idxmax()
    left = table[(table["validation_accuracy"] >= least) & (table["part"] != biggest)]
    assert run("return state.visible") == left.index.tolist()
    assert run("return chart.getOption().series.find(({id}) => id === 'weights').data.length") == len(left)
    assert f"{len(left)} of {len(table)} snapshots" in run("return byId('visible').innerText")
    for column, looks in (("part", len(PARTS)), ("validation_loss", 2)):
        run("byId('colour').value = arguments[0]; byId('colour').dispatchEvent(new Event('change'))", column)
        assert run("return byId('legend').children.length") >= looks + 1
    assert "linear-gradient" in run("return document.querySelector('#legend .scale').style.background")


def test_curves_of_selected_and_kept_members(run, results, points):
    history = pd.read_csv(results / "zoo" / "history.csv")
    first, second = points[2]["member"][[0, 8]]
    run("select(0); byId('keep').click(); select(8)")
    names = run("return curveCharts.loss.getOption().series.map(({name, data}) => [name, data])")
    drawn = {name: data for name, data in names if name}
    for member in (first, second):
        rows = history.loc[history["member"] == member, ["epoch", "validation_loss"]].to_numpy()
        assert np.float64(drawn[f"member {member}"]) == pytest.approx(rows, rel=1e-3)
    faint = names[0][1]
    assert sum(point[1] != "-" for point in faint) == history["validation_loss"].notna().sum()
    run("document.querySelector('#kept button').click()")
    left = run("return curveCharts.loss.getOption().series.flatMap((one) => one?.name ?? [])")
    assert f"member {first}" not in left and f"member {second}" in left


def test_methods_are_sorted_and_the_strongest_baseline_is_marked(run, results):
    table = pd.read_csv(results / "tables" / "accuracy.csv", dtype={"images": str})
    table = table[(table["classes"] == "seen") & (table["epochs"] == 0) & (table["images"] == "all")]
    accuracies = table.set_index("sampler")["accuracy"]
    order = "return [...document.querySelectorAll('#accuracies tbody tr')].map((row) => row.dataset.method)"
    assert accuracies[run(order)[: len(accuracies)]].is_monotonic_decreasing
    run("document.querySelectorAll('#accuracies th button')[2].click()")
    assert accuracies[run(order)[: len(accuracies)]].is_monotonic_increasing
    run("document.querySelectorAll('#accuracies th button')[0].click()")
    labels = run(
        "return [...document.querySelectorAll('#accuracies tbody td:first-child')].map((cell) => cell.innerText)"
    )
    assert labels == sorted(labels)
    (best,) = run(
        "return [...document.querySelectorAll('#accuracies tbody tr')].filter((row) =>"
        "row.children[2].classList.contains('strongest')).map((row) => row.dataset.method)"
    )
    baselines = table[(table["kind"] == "baseline") & (table["sampler"] != "scratch")].set_index("sampler")["accuracy"]
    assert accuracies[best] == baselines.max()


def test_a_notebook_shows_the_same_page(driver, run, results, points, tmp_path):
    (tmp_path / "notebook.html").write_text(figure(results)._repr_html_(), encoding="utf-8")
    try:
        driver.get((tmp_path / "notebook.html").as_uri())
        driver.switch_to.frame(0)
        assert run("return snapshots.members.length") == len(points[2])
        assert run("return document.querySelectorAll('#map canvas').length") == 1
        assert run("return byId('report')") is None  # a notebook has no report next to it
    finally:
        driver.switch_to.default_content()
        driver.get((results / "explore.html").as_uri())


def test_the_page_of_an_earlier_run(results, tmp_path):
    write_page(results, tmp_path / "explore.html")
    made, expected = (
        json.loads(path.read_text("utf-8").split('id="data">')[1].split("</script>")[0])
        for path in (tmp_path / "explore.html", results / "explore.html")
    )
    for data in (made, expected):
        del data["snapshots"]["places"], data["run"]  # another seed of t-SNE, and the name of the folder
    assert made == expected


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_as_wide_as_the_window(driver, run, width):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    )
    run("select(2)")
    assert run("return document.documentElement.scrollWidth") <= width
    assert run("return byId('map').clientWidth") > 0.4 * width
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
