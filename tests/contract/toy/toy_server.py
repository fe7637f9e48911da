"""A small server of three operations, as a team might begin one: with or without a fault."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import Body, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

KEY = "sa_pk_of_the_toy_server"
PAGES = [
    ("Shipping", "Shipping takes two to four working days."),
    ("Returns", "Send it back within thirty days."),
]


def create_app(*, any_key: bool = False) -> FastAPI:
    """Return the server; with ``any_key``, a search takes a wrong API key."""
    app = FastAPI(openapi_url=None)
    app.add_middleware(
        CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"]
    )
    visitors: dict[str, dict[str, Any]] = {}
    tokens: dict[str, dict[str, Any]] = {}

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": {"message": f"{len(error.errors())} invalid values"}}, 422)

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": {"message": str(error.detail)}}, error.status_code)

    def require(key: str) -> None:
        if key != KEY:
            raise HTTPException(401, "Unknown API key")

    @app.post("/v2/identity/init")
    async def init(
        apiKey: Annotated[str, Body(min_length=1)],  # noqa: N803  # the name of the API
        saVid: Annotated[str, Body(min_length=1, max_length=100)],  # noqa: N803  # likewise
    ) -> JSONResponse:
        require(apiKey)
        status = 200 if saVid in visitors else 201
        unknown = dict.fromkeys(("externalId", "name", "avatarUrl"))
        visitor = {"object": "visitor", "id": str(uuid.uuid4()), "type": "anonymous", **unknown}
        visitor = visitors.setdefault(saVid, visitor)
        token = f"session-{uuid.uuid4()}"
        tokens[token] = visitor
        return JSONResponse({"sessionToken": token, "visitor": visitor}, status)

    @app.get("/v2/identity/me")
    async def me(authorization: Annotated[str, Header()] = "") -> dict[str, Any]:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or token not in tokens:
            raise HTTPException(401, "Unknown token")
        return tokens[token]

    @app.get("/v2/search")
    async def search(
        q: Annotated[str, Query(min_length=1, max_length=500)],
        apiKey: str,  # noqa: N803  # the name of the API
        size: Annotated[int, Query(ge=1, le=50)] = 10,
    ) -> dict[str, Any]:
        if not any_key:
            require(apiKey)
        found = [
            {
                "score": 1.0,
                "title": title,
                "content": content,
                "url": f"https://shop.example/{title.lower()}",
                "path": f"/{title.lower()}",
            }
            for title, content in PAGES
        ]
        return {"results": found[:size]}

    return app
