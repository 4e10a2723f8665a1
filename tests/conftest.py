"""What every test may ask for."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from PIL import Image, ImageDraw, ImageFont
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

from cim.testing.papers import draw_papers
from cim.testing.postgres_server import postgres_server, programs
from cim.testing.processes import Place, place

# How long examples take says how busy the machine is, and nothing about the code.
settings.register_profile("cim", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cim")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """``shared("receipts")``: a folder of real data that the project does not own, or a skip by name."""

    def folder(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"needs ../shared/data/{name}, which is not here")
        return path

    return folder


CHROMIUM, CHROMEDRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
QUIETLY = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1400,900",
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    """A real Chromium with an empty profile; without one a skip by name, and in CI a failure."""
    if not (CHROMIUM.exists() and CHROMEDRIVER.exists()):
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"needs {CHROMIUM} and {CHROMEDRIVER}: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in (*QUIETLY, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(CHROMEDRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="session")
def postgres_bin() -> Path:
    """The folder of PostgreSQL's programs; without them a skip by name, and in CI a failure."""
    bin = programs()
    if bin is None:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse("needs the server's programs of PostgreSQL: apt-get install postgresql")
    return bin


@pytest.fixture(scope="session")
def database(postgres_bin: Path) -> Iterator[str]:
    """The URL of a PostgreSQL database that is thrown away."""
    with postgres_server(postgres_bin) as server:
        yield server.url


@pytest.fixture(scope="session")
def draw_slips() -> Callable[[Path, int], list[Path]]:
    """``draw_slips(folder, 3)``: till slips that take a tenth of a second to read, each another total."""

    def draw(folder: Path, count: int) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        letters = ImageFont.load_default(24)
        for number in range(count):
            image = Image.new("RGB", (520, 300), "white")
            words = f"Corner Shop Ltd\nRECEIPT\nDate 1{number % 10}/03/2024\nBread 2.50\nTOTAL 3.{number:02}"
            ImageDraw.Draw(image).text((24, 20), words, fill="black", font=letters, spacing=14)
            image.save(folder / f"slip-{number:02}.png")
        return sorted(folder.glob("slip-*.png"))

    return draw


@pytest.fixture(scope="session")
def read_machine(
    tmp_path_factory: pytest.TempPathFactory, draw_slips: Callable[[Path, int], list[Path]]
) -> Path:
    """The documents machine with five documents in it: two slips, a PDF of text, a complaint, and one
    that cannot be read. Nothing runs on it. It is the same for all tests: copy it."""
    scratch = tmp_path_factory.mktemp("read")
    papers = {paper.path.name: paper.path for paper in draw_papers(scratch / "papers")}
    no_paper = scratch / "papers" / "letter.pdf"
    no_paper.write_text("Dear Sir, I am not a PDF")
    files = [*draw_slips(scratch / "slips", 2), papers["report-water.pdf"], papers["complaint-oven.png"]]
    with place(scratch / "machine", scratch) as made:
        done = made.cim("demo", "--exit", "--port", "0", "--json", *files, no_paper)
    assert (done.code, done.data[0]["documents"], done.data[0]["failed"]) == (0, 5, 1), done.err
    return made.folder


@pytest.fixture
def machine(read_machine: Path, tmp_path: Path) -> Iterator[Place]:
    """A copy of :func:`read_machine` of the test's own; what was started on it is ended."""
    shutil.copytree(read_machine, tmp_path / "machine")
    with place(tmp_path / "machine", tmp_path / "said") as made:
        yield made


@pytest.fixture
def new_machine(tmp_path: Path) -> Iterator[Place]:
    """A folder where nothing is yet: ``cim demo`` lays the documents machine there."""
    with place(tmp_path / "machine", tmp_path / "said") as made:
        yield made
