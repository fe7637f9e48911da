"""A plugin of pytest that runs tests of the client with httpx2 in place of httpx.

    python -m pytest -p tests.with_httpx2 tests/runtime

The name ``httpx`` then is httpx2 in the tests and in the client, for the whole process.
"""

from __future__ import annotations

import httpx2

httpx2.alias_httpx()
