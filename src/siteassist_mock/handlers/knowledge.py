"""The handlers of the project, the Q&As and the search."""

from __future__ import annotations

from starlette.responses import JSONResponse

from siteassist_mock.content.seed import PROJECT_ID
from siteassist_mock.http.call import Call
from siteassist_mock.http.errors import ApiError


def get_project(call: Call) -> JSONResponse:
    """Return the project of a publishable key."""
    call.services.authenticator.check_api_key(call.query["apiKey"], call.origins)
    return JSONResponse(call.services.project)


def get_qnas(call: Call) -> JSONResponse:
    """Return a page of the matching Q&As, oldest first."""
    _check_project(call)
    limit, offset = call.count("limit"), call.count("offset")
    found = call.services.knowledge.find_qnas(call.query["query"])
    return JSONResponse(
        {
            "object": "list",
            "total": len(found),
            "limit": limit,
            "offset": offset,
            "data": found[offset : offset + limit],
        }
    )


def get_qna(call: Call) -> JSONResponse:
    """Return a Q&A."""
    _check_project(call)
    qna_id = call.path["qnaId"]
    for qna in call.services.knowledge.qnas:
        if qna["id"] == qna_id:
            return JSONResponse(qna)
    raise ApiError(404, code="QNA_NOT_FOUND", message="Q&A not found!", details={"qnaId": qna_id})


def search(call: Call) -> JSONResponse:
    """Return the website's pages that match a query, best first."""
    call.services.authenticator.check_api_key(call.query["apiKey"], call.origins)
    return JSONResponse(
        {"results": call.services.knowledge.find_pages(call.query["q"], call.count("size"))}
    )


def _check_project(call: Call) -> None:
    project_id = call.path["projectId"]
    if project_id != PROJECT_ID:
        raise ApiError(
            404,
            code="PROJECT_NOT_FOUND",
            message="Project not found!",
            details={"projectId": project_id},
        )
