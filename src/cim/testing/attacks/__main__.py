"""``python -m cim.testing.attacks``: all attacks on agents with each kind of grant, and what got through."""

import asyncio
import sys

from cim.testing.attacks.report import fought, table


def main() -> int:
    """Print the table; 1 where anything got through beside the grants."""
    found = asyncio.run(fought(lambda text: print(text, file=sys.stderr, flush=True)))
    print(table(found))
    return 1 if any(one.through for one in found) else 0


sys.exit(main())
