"""The hub of gevent, set up by the import of this module.

It would print a traceback of an interrupt before it raises it in the command.
"""

from __future__ import annotations

from gevent.hub import Hub  # pyright: ignore[reportMissingImports]  # as in `engine`

Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)
