"""Files handed in through the picker and by dropping."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Leaf = Any
Screen = Any
Wait = Callable[..., Any]
DROP = """const files = new DataTransfer();
for (const name of ['one.txt', 'two.txt']) files.items.add(new File(['Dear Sir'], name));
for (const type of ['dragenter', 'dragover', 'drop'])
    document.getElementById('rows').dispatchEvent(
        new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: files}));"""


def hand_in(screen: Screen, tmp_path: Path, name: str = "letter.txt") -> None:
    file = tmp_path / name
    file.write_text("Dear Sir")
    screen.one("#files").send_keys(str(file))


def entry(screen: Screen, wait_until: Wait, state: str) -> str:
    selector = f"#uploads li[data-state='{state}']"
    found = wait_until(lambda: screen.all(selector), f"an upload is {state}")
    return str(found[0].text.replace("\n", " "))


def test_a_file_is_handed_in_under_its_name(
    screen: Screen, leaf: Leaf, wait_until: Wait, tmp_path: Path
) -> None:
    screen.open()
    leaf.reply = (200, {"command": "c1", "entity": "new", "sequence": 9, "correlation": "c1"})
    hand_in(screen, tmp_path)
    assert "Handed in" in entry(screen, wait_until, "done")
    assert b'name="title"\r\n\r\nletter.txt' in leaf.handed_in[0]
    assert b'name="scan"; filename="letter.txt"' in leaf.handed_in[0]
    assert b"Dear Sir" in leaf.handed_in[0]


def test_files_can_be_dropped_anywhere(screen: Screen, leaf: Leaf, wait_until: Wait) -> None:
    screen.open()
    leaf.reply = (200, {"command": "c1", "entity": "new", "sequence": 9, "correlation": "c1"})
    screen.run(DROP)
    wait_until(lambda: len(leaf.handed_in) == 2, "both files are handed in")
    assert not screen.run("return document.body.hasAttribute('data-dropping')")


def test_one_that_is_there_already_is_shown(
    screen: Screen, leaf: Leaf, wait_until: Wait, tmp_path: Path
) -> None:
    screen.open()
    leaf.reply = (200, {"command": "c1", "entity": "p2", "sequence": 3, "correlation": "c1"})
    hand_in(screen, tmp_path)
    assert "Known already" in entry(screen, wait_until, "known")
    wait_until(lambda: screen.all(".row[data-highlight] a[href='#p2']"), "marked")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            (409, {"rejected": {"by": "documents.Document", "reason": "already discarded"}}),
            "already discarded",
        ),
        ((413, {"error": "too large: 9 MB, at most 8 MB"}), "too large: 9 MB, at most 8 MB"),
        ((500, {}), "The machine answered 500."),
    ],
)
def test_a_refusal_is_told_in_the_machines_words(
    screen: Screen,
    leaf: Leaf,
    wait_until: Wait,
    tmp_path: Path,
    reply: tuple[int, dict[str, Any]],
    words: str,
) -> None:
    screen.open()
    leaf.reply = reply
    hand_in(screen, tmp_path)
    assert words in entry(screen, wait_until, "refused")
