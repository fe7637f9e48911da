"""Try values on a description with openapi-core.

python read_openapi_core.py FORM CASES {accepts,refuses}
"""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

BEARER = {"Authorization": "Bearer x"}


def text(body: Any, **_: Any) -> Any:
    """Read an event stream as a text."""
    return body.decode() if isinstance(body, bytes) else body


form, path, stage = sys.argv[1:]
refused = stage == "refuses"
description = json.loads(Path(form).read_text(encoding="utf-8"))
config = Config(extra_media_type_deserializers={"text/event-stream": text})
openapi = OpenAPI.from_dict(description, config=config)
server = urlsplit(description["servers"][0]["url"])
cases = json.loads(Path(path).read_text(encoding="utf-8"))["cases"]


def reasons(error: BaseException | None) -> list[str]:
    """Return the reasons of a refusal, which are in the causes of the error."""
    found = []
    while error is not None:
        waiting = list(getattr(error, "schema_errors", ()))
        while waiting:
            inner = waiting.pop()
            waiting += inner.context
            if not inner.context:
                found.append(inner.message.splitlines()[0])
        error = error.__cause__
    return found


def refusal(case: dict[str, Any]) -> str:
    """Return why openapi-core refuses the value; an empty text if it accepts it."""
    url = urlsplit(case["url"])
    held = case["value"]
    body = (held if isinstance(held, str) else json.dumps(held)).encode()
    request = MockRequest(
        f"{server.scheme}://{server.netloc}",
        case["method"].lower(),
        server.path + url.path,
        args=dict(parse_qsl(url.query)),
        headers=BEARER,
        data=None if case["status"] else body,
        content_type="application/json",
    )
    try:
        if case["status"]:
            response = MockResponse(body, case["status"], content_type=case["media"])
            openapi.validate_response(request, response)
        else:
            openapi.validate_request(request)
    except OpenAPIError as error:
        return "; ".join(reasons(error)) or str(error)
    return ""


tried = [case for case in cases if bool(case["flaw"]) == refused]
wrong = 0
for case in tried:
    why = refusal(case)
    if (why == "") == refused:
        wrong += 1
        print(f"wrong: {case['name']}{why and f' ({why})'}")
print(f"tried {len(tried)}")
sys.exit(1 if wrong else 0)
