"""A headless Chromium that is looked through at files."""

import os
import shutil
from pathlib import Path

PROGRAMS = ("chromium", "chromedriver")
# No background requests. A page that requests something finds no network, which its console reports.
OPTIONS = (
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost",
    *("--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-quic", "--window-size=1400,1000"),
)


def missing() -> str | None:
    """Return why there is no browser here, if so."""
    absent = [name for name in PROGRAMS if not shutil.which(name)]
    return f"{', '.join(absent)} not installed; `make browser` does" if absent else None


def open_browser(profile: Path):
    """Return a driver of a new browser, to be quit.

    Args:
        profile: an empty folder.
    """
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for option in (*OPTIONS, f"--user-data-dir={profile}", *(() if os.geteuid() else ("--no-sandbox",))):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


def errors(driver) -> list[str]:
    """Return what the console has told of errors since it was asked last."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def unloaded(driver) -> list[str]:
    """Return the beginnings of the sources of images that show nothing."""
    return driver.execute_script(
        "return [...document.images].filter(image => !(image.complete && image.naturalWidth > 0))"
        ".map(image => image.src.slice(0, 80))"
    )
