"""How long from the command to the first document on the page, beside the same work without a machine.

``python benches/first_document.py [--runs N] [--write]``. Needs Chromium and its driver. The browser is
started before the clock; loading the page is counted.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tables import table, write_section

ROOT = Path(__file__).parents[1]
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
)
ROWS = "return document.querySelectorAll('.row').length"
WHOLE = (
    "return [...document.querySelectorAll('.row')].some("
    "row => row.querySelector('.chip') && row.querySelector('.sense') && !row.querySelector('.spinner'))"
)

# The same papers, providers and pure functions, one after the other: what a script would do.
PLAIN = """
import sys, tempfile, pathlib
sys.path.insert(0, "examples/documents")
from cim.providers.minilm import MiniLM
from cim.providers.pdfium import Pdfium
from cim.providers.ridge import Ridge
from cim.providers.tesseract import Tesseract
from cim.testing.papers import draw_one_by_one
from documents import GLOSSARY, find_facts, label, nearest
with tempfile.TemporaryDirectory() as folder:
    paper = next(draw_one_by_one(pathlib.Path(folder)))
    reading = Tesseract(language="eng").read(paper.path.read_bytes())
    embedding = MiniLM()
    print(nearest(reading.body, GLOSSARY, embedding), find_facts(reading.body))
    print(label(Ridge(embedding).score(reading.body)), flush=True)
"""


def main() -> None:
    """Measure, print the table, and write it into the docs when asked."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--write", action="store_true")
    given = arguments.parse_args()
    browser = open_browser()
    try:
        runs = [one_run(browser) for _ in range(given.runs)]
    finally:
        browser.quit()
    plain = [one_plain() for _ in range(given.runs)]
    names = ("the page's address is told", "the first document is on the page", "the first document is whole")
    columns = [[run[index] for run in runs] for index in range(3)]
    rows = [row(name, column) for name, column in zip(names, columns, strict=True)]
    rows.append(row("rival: a plain script has read and judged one paper", plain))
    body = table(("seconds after the command", "least", "median", "most"), rows)
    print(body)
    if given.write:
        notes = (
            f"{given.runs} runs, an empty machine each, nine drawn papers handed in. The first document is\n"
            f"whole when it has its kind and its sentiment and no system is at work on it. The rival draws\n"
            f"the first of the papers, reads and judges it with the same providers, and has no machine."
        )
        write_section("Time to the first document", "python benches/first_document.py --write", notes, body)


def open_browser() -> webdriver.Chrome:
    """A headless Chromium."""
    options = webdriver.ChromeOptions()
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.binary_location = "/usr/bin/chromium"
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def one_run(browser: webdriver.Chrome) -> tuple[float, float, float]:
    """Seconds until the address is told, until a row is there, until one is whole."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        command = [sys.executable, "-m", "cim", "demo", "--machine", f"{folder}/machine"]
        demo = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            assert demo.stdout is not None
            address = demo.stdout.readline().rsplit(" ", 1)[1].strip()
            told = time.monotonic() - started
            browser.get(address)
            first = until(lambda: browser.execute_script(ROWS) > 0) - started
            whole = until(lambda: bool(browser.execute_script(WHOLE))) - started
            browser.get("about:blank")
        finally:
            demo.terminate()
            demo.wait(30)
    return told, first, whole


def one_plain() -> float:
    """Seconds that the plain script takes."""
    started = time.monotonic()
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    subprocess.run(
        [sys.executable, "-c", PLAIN], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL
    )
    return time.monotonic() - started


def until(holds: Callable[[], bool], patience: float = 120.0) -> float:
    """The moment at which a condition holds; looks every five milliseconds."""
    deadline = time.monotonic() + patience
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {patience:g} s")
        time.sleep(0.005)
    return time.monotonic()


def row(name: str, seconds: list[float]) -> tuple[str, ...]:
    """A row of the table."""
    figures = (min(seconds), statistics.median(seconds), max(seconds))
    return name, *(f"{figure:.2f}" for figure in figures)


if __name__ == "__main__":
    main()
