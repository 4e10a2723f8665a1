"""The header block of a stored commit as bytes: recognised in one step, taken apart in one step when asked.

The plain form is what a machine itself writes (:func:`cim.contract.envelope.block_of`), with nothing in its
values but ASCII without blanks, and what the server adds behind. Nearly all commits have it; all others go
the general way, which names what is wrong with them.
"""

import re
from collections.abc import Mapping
from typing import Any

_VALUE = rb"[!-~]++"
_LINES = (
    rb"ce-causation: V\r\nce-correlation: V\r\nce-dataschema: V\r\nce-id: V\r\nce-number: [0-9]{1,18}+\r\n"
    rb"ce-owner: V\r\nce-previous: V\r\n(?:ce-request: V\r\n)?+ce-source: V\r\nce-specversion: 1\.0\r\n"
    rb"ce-subject: V\r\nce-time: V\r\nce-type: V\r\ncontent-type: application/json\r\n"
)
_FIRST = b"NATS/1.0\r\n"
_LAST = b"\r\ncontent-type: application/json\r\n"
_PRINTED = bytes(range(0x20, 0x7F))
_WHOLE = re.compile(
    (
        rb"NATS/1\.0\r\n"
        + _LINES.replace(b"V", b"(" + _VALUE + b")").replace(b"[0-9]{1,18}+", b"([0-9]{1,18}+)")
        + rb"(?:Nats-[!-~]+: [!-~]+\r\n)*\r\n\Z"
    ).decode()
)


def plain_form(subject: bytes, added: bytes) -> bytes:
    """An expression for a whole plain block, the two parts being expressions as well: ``subject`` for its
    subject, ``added`` for the lines that the server put behind. The group ``type`` is the commit's type."""
    lines = _LINES.replace(b"ce-subject: V", b"ce-subject: " + subject)
    lines = lines.replace(b"ce-type: V", b"ce-type: (?P<type>V)").replace(b"V", _VALUE)
    return rb"NATS/1\.0\r\n" + lines + added + rb"\r\n"


def plain_values(block: bytes) -> tuple[Any, ...] | None:
    """The values of a plain block in the order of their names, the request's None where there is none; None
    for any other block."""
    found = _WHOLE.match(block.decode("latin-1"))  # what is no ASCII matches nothing
    return None if found is None else found.groups()


def plain_text(head: str, lines: int) -> bytes:
    """The bytes of a head that was written in the plain form with so many lines behind its first; none where
    a value in it is not of that form."""
    block = head.encode()
    # Each line has one blank and one end of its own: a value that holds another, or anything that is not
    # printed, is found by what is left and by counting.
    if block.translate(None, _PRINTED) == b"\r\n" * (lines + 1) and block.count(b" ") == lines:
        return block
    return b""


def plain_head(block: bytes) -> bytes:
    """A plain block without the lines that the server added, and without its end."""
    return block[: block.index(_LAST) + len(_LAST)]


def plain_lines(block: bytes) -> bytes:
    """The lines of a plain block as ``name:value``, without those that the server added."""
    # No value holds a blank, so those that go are the ones behind the names.
    return block[len(_FIRST) : block.index(_LAST) + len(_LAST) - 2].translate(None, b"\r ")


def parse_headers(block: bytes) -> Mapping[str, str]:
    """The headers of a stored message as the server keeps them: a status line, then ``name: value``.

    Bytes that are no text are replaced: whoever wrote them is no machine.
    """
    pairs = (line.partition(b":") for line in block.split(b"\r\n")[1:] if b":" in line)
    return {
        name.strip().decode(errors="replace"): value.strip().decode(errors="replace")
        for name, _, value in pairs
    }
