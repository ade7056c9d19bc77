"""Both reports of the tiny run, in a browser: every figure and table is there, loads, and nothing complains."""

import base64
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pandas as pd
import pytest
from browser import errors, missing, open_browser, unloaded

pytestmark = pytest.mark.slow
SECONDS = 20  # to wait for a page


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    if why_not := missing():
        pytest.skip(f"no browser here: {why_not}")
    driver = open_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def shown(printed, read_jobs) -> dict[str, list[str]]:
    """What a report must show, by kind: the bitmaps and tables that jobs of the run say they make."""
    outputs = [path for job in read_jobs(printed) for path in job.get("output", "").split(", ")]
    kinds = {"figure": ("figures", ".png"), "table": ("tables", ".csv")}
    found = {
        kind: sorted(path for path in outputs if Path(path).parent.name == folder and path.endswith(ending))
        for kind, (folder, ending) in kinds.items()
    }
    assert all(found.values())
    return found


def wait_for(driver, condition: str, *arguments):
    """Wait until a JavaScript expression is truthy, and return it."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, SECONDS).until(lambda page: page.execute_script(f"return {condition}", *arguments))


@pytest.mark.parametrize("width", [1400, 400])
def test_own_report_shows_every_figure_and_table(driver, results, shown, width):
    driver.set_window_size(width, 1000)
    driver.get((results / "report.html").as_uri())
    wait_for(driver, "document.readyState === 'complete'")
    figures = driver.execute_script("return [...document.querySelectorAll('figure')].map(one => one.id)")
    assert sorted(figures) == [Path(path).stem for path in shown["figure"]]
    assert len(driver.execute_script("return [...document.images]")) == len(figures) and unloaded(driver) == []
    rows = driver.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('details[id^=table-]')].map("
        "one => { one.open = true; return [one.id, one.querySelectorAll('td').length]; }))"
    )
    sizes = {f"table-{Path(path).stem}": pd.read_csv(results.parents[1] / path).size for path in shown["table"]}
    assert rows == sizes
    # Wide tables scroll by themselves; the page does not.
    assert driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert errors(driver) == []


ROWS = """
return [...document.querySelectorAll('nav tbody tr')].map(row => {
    const link = row.querySelector('a');
    const [label] = [...row.querySelectorAll('td')].map(cell => cell.innerText).filter(text => text);
    return {label, download: link.download, href: link.href};
})
"""


def click(driver, element: str, *arguments) -> None:
    """Click on what a JavaScript expression finds, once it is there."""
    wait_for(driver, f"!!({element})", *arguments)
    driver.execute_script(f"({element}).click()", *arguments)


def choose(driver, entry: str) -> None:
    """Choose an entry of the menu of Snakemake's report."""
    driver.execute_script("app.setView({navbarMode: 'menu'})")
    click(driver, "[...document.querySelectorAll('nav li a')].find(link => link.innerText === arguments[0])", entry)


def data_of(address: str) -> bytes:
    """Return what a data URI holds."""
    about, _, data = address.partition(",")
    return base64.b64decode(data) if about.endswith(";base64") else unquote_to_bytes(data)


def test_snakemakes_report_shows_every_figure_and_table(driver, finished, shown):
    done = finished.snakemake("--report", "report.html")
    assert done.returncode == 0, done.stdout
    driver.set_window_size(1400, 1000)
    driver.get((finished.root / "report.html").as_uri())
    wait_for(driver, "typeof app !== 'undefined' && !!document.querySelector('nav li a')")
    titles = {
        entry["name"]: list(entry["labels"].values())
        for entry in driver.execute_script("return Object.values(results)")
    }
    found = {"figure": [], "table": []}
    for category in driver.execute_script("return Object.keys(categories)"):
        choose(driver, category)
        wait_for(driver, "!!document.querySelector('nav tbody tr')")
        for place, row in enumerate(driver.execute_script(ROWS)):
            (path,) = (path for kind in shown.values() for path in kind if titles[Path(path).name] == [row["label"]])
            if path in shown["table"]:
                found["table"].append(path)
                assert row["download"] == Path(path).name
                assert data_of(row["href"]) == (finished.root / path).read_bytes()
                continue
            found["figure"].append(path)
            click(driver, "document.querySelectorAll('nav tbody tr')[arguments[0]].querySelector('a')", place)
            image = "document.querySelector('#app > div > div img')"
            source = wait_for(driver, f"{image} && {image}.complete && {image}.naturalWidth > 0 && {image}.src")
            assert data_of(source) == (finished.root / path).read_bytes()
    assert {kind: sorted(paths) for kind, paths in found.items()} == shown
    for entry in ("Workflow", "Statistics", "About"):
        choose(driver, entry)
        wait_for(driver, "document.querySelector('nav').innerText.length > 0 && document.readyState === 'complete'")
        assert unloaded(driver) == []
    assert errors(driver) == []
