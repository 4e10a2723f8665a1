"""The file of an archive: a zip with ``log.jsonl`` and the contents by their digests, or the lines alone."""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cim.domain.errors import CimError
from cim.log.archive import ArchiveDamaged

LOG = "log.jsonl"
CONTENTS = "contents/"
ENDINGS = (".zip", ".jsonl")

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes that a line may have: the largest message of a leaf, in base64, with its attributes."""

_CHUNK = 1024 * 1024
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


def with_contents(path: Path) -> bool:
    """Whether a file of that name holds contents; raises :class:`CimError` for a name of neither form."""
    if path.suffix not in ENDINGS:
        raise CimError(
            f"{path}: name the file .zip for the log with all contents, or .jsonl for the log's lines alone"
        )
    return path.suffix == ".zip"


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write to, for the owner alone; it becomes ``path`` when the block ends well,
    and vanishes otherwise."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        draft.touch(mode=0o600)
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    except OSError as error:
        raise CimError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """An archive that is open for reading; ``sizes`` holds the bytes of each content by its digest."""

    path: Path
    sizes: dict[str, int]
    _zip: zipfile.ZipFile | None

    def lines(self) -> Iterator[bytes]:
        """The lines of the log, each with its line feed. Raises :class:`ArchiveDamaged`."""
        try:
            with self._log() as log:
                while line := log.readline(LONGEST_LINE):
                    yield line
        except _UNREADABLE as error:
            raise ArchiveDamaged(f"{self.path}: {LOG} cannot be read to its end: {error}") from error

    def check(self, digest: str) -> None:
        """Hold that a content is what its name says, without keeping it in memory."""
        found = hashlib.sha256()
        try:
            with self._content(digest) as content:
                while chunk := content.read(_CHUNK):
                    found.update(chunk)
        except _UNREADABLE as error:
            raise ArchiveDamaged(f"{self.path}: content {digest} cannot be read: {error}") from error
        if found.hexdigest() != digest:
            raise ArchiveDamaged(f"{self.path}: content {digest} was changed: its bytes have another digest")

    def content(self, digest: str) -> bytes:
        """The bytes of a content that was checked."""
        with self._content(digest) as content:
            return content.read()

    def _log(self) -> IO[bytes]:
        return self.path.open("rb") if self._zip is None else self._zip.open(LOG)

    def _content(self, digest: str) -> IO[bytes]:
        assert self._zip is not None
        return self._zip.open(CONTENTS + digest)


@contextmanager
def open_archive(path: Path) -> Iterator[ArchiveFile]:
    """An archive for reading. Raises :class:`ArchiveDamaged` where the file is none."""
    with ExitStack() as stack:
        try:
            if not with_contents(path):
                path.open("rb").close()
                yield ArchiveFile(path, {}, None)
                return
            archive = stack.enter_context(zipfile.ZipFile(path))
        except FileNotFoundError as error:
            raise CimError(f"{path} is not there") from error
        except (zipfile.BadZipFile, OSError) as error:
            raise ArchiveDamaged(f"{path} is no whole archive: {error}; it was cut or changed") from error
        yield ArchiveFile(path, _sizes(archive, path), archive)


def _sizes(archive: zipfile.ZipFile, path: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    names = archive.namelist()
    for info in archive.infolist():
        digest = info.filename.removeprefix(CONTENTS)
        if info.filename == LOG:
            continue
        if not info.filename.startswith(CONTENTS) or "/" in digest or not digest:
            raise ArchiveDamaged(f"{path} holds {info.filename!r}, which no export writes")
        sizes[digest] = info.file_size
    if names.count(LOG) != 1 or len(names) != len(sizes) + 1:
        raise ArchiveDamaged(f"{path} holds no {LOG}, or holds something twice: no export writes that")
    return sizes


class Packer:
    """Writes a zip: contents as they come, the log last."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", allowZip64=True)
        self.contents = 0

    def add(self, digest: str, content: bytes) -> None:
        """One content; pictures and PDFs are compressed already, so it is stored as it is."""
        self._zip.writestr(CONTENTS + digest, content)
        self.contents += 1

    def close_with(self, log: Path) -> None:
        """The log, which ends the archive."""
        self._zip.write(log, LOG, compress_type=zipfile.ZIP_DEFLATED)
        self._zip.close()

    def abandon(self) -> None:
        """Let go of a file that is not to be finished; a second call, or one after the end, does nothing."""
        with suppress(OSError, ValueError):
            self._zip.close()
