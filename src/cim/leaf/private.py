"""Files that only their owner may read: keys, credentials, the configuration of the server."""

import os
from pathlib import Path


def private_folder(path: Path) -> Path:
    """Make ``path`` a folder of mode 0700 where it is missing, and return it absolute, links resolved."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path.resolve()


def write_private(path: Path, text: str) -> None:
    """Put ``text`` at ``path`` with mode 0600: a reader sees the old file or the new one, never a part."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
