"""The picture of the page in the README: ``python benches/page_picture.py`` takes it anew.

A real machine reads the drawn papers and a text that is none, a late module joins, and a real browser
shows the board with the hardware slip opened beside it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from first_document import ROOT, open_browser, until

PICTURE = ROOT / "docs" / "images" / "board.png"
SIZE = (1400, 860)
LATE = "return document.body.textContent.includes('English') && !document.querySelector('.spinner')"
TRAIL = "return document.querySelector('.timeline .step') !== null"
PICTURES = "return [...document.images].every(image => image.complete && image.naturalWidth)"


def main() -> None:
    """Run the machine, take the picture, stop the machine."""
    with tempfile.TemporaryDirectory() as folder:
        machine = f"{folder}/machine"
        note = Path(folder) / "shopping-list.txt"
        note.write_text("two rolls, a pound of butter\n")
        cim("demo", "--exit", "--machine", machine)
        cim("demo", "--exit", "--machine", machine, str(note))
        leaf = subprocess.Popen(
            [sys.executable, "-m", "cim", "up", machine, "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert leaf.stdout is not None
            address = leaf.stdout.readline().rsplit(" ", 1)[1].strip()
            cim("work", machine, "--module", f"{machine}/languages", "--exit")
            take(address)
        finally:
            leaf.terminate()
            leaf.wait(30)


def cim(*arguments: str) -> None:
    """Run one command to its end."""
    subprocess.run([sys.executable, "-m", "cim", *arguments], check=True, cwd=ROOT)


def take(address: str) -> None:
    """Open the hardware slip beside the board and take the picture."""
    browser = open_browser()
    try:
        browser.set_window_size(SIZE[0], SIZE[1] + 140)
        browser.get(address)
        until(lambda: bool(browser.execute_script(LATE)))
        browser.execute_script(
            "[...document.querySelectorAll('.row a')].find(a => a.textContent.includes('hardware')).click()"
        )
        until(lambda: bool(browser.execute_script(TRAIL)))
        until(lambda: bool(browser.execute_script(PICTURES)))
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(str(PICTURE))
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
