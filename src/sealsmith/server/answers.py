"""Every error as the dialect of its route says it: ours, OpenAI's, or A1111's. One shape a dialect.

Not for: which error it is, which the tree in errors.py decides, with code, HTTP status and remedy.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ..catalog.room import is_full
from ..errors import ConfigError, FullError, SealsmithError

MAX_SHOWN_CHARACTERS = 200
CODES_OF_STATUS = {404: "route-missing", 405: "method"}
"""Of what no error of ours stands behind."""


@dataclass(frozen=True)
class Complaint:
    """What an answer says went wrong."""

    status: int
    code: str
    message: str
    remedy: str = ""
    retry_after_s: float | None = None
    parameter: str | None = None
    """The part of the request that is wrong, where one is."""
    request_id: str = ""


def native(complaint: Complaint) -> dict[str, Any]:
    error = {
        "code": complaint.code,
        "message": complaint.message,
        "remedy": complaint.remedy,
        "parameter": complaint.parameter,
        "retry_after_s": complaint.retry_after_s,
        "request_id": complaint.request_id,
    }
    return {"error": error}


def openai(complaint: Complaint) -> dict[str, Any]:
    """OpenAI's shape. Its clients go by the status; `type` is OpenAI's word for it, `code` is ours."""
    kinds = {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        429: "rate_limit_error",
    }
    kind = kinds.get(complaint.status, "server_error" if complaint.status >= 500 else "invalid_request_error")
    message = _sentences(complaint)
    return {"error": {"message": message, "type": kind, "param": complaint.parameter, "code": complaint.code}}


def a1111(complaint: Complaint) -> dict[str, Any]:
    """A1111's shape, whose `detail` is what its clients show."""
    return {"error": complaint.code, "detail": _sentences(complaint), "body": "", "errors": complaint.message}


SHAPES: Mapping[str, Callable[[Complaint], dict[str, Any]]] = {
    "/v1/images/generations": openai,
    "/v1/models": openai,
    "/sdapi/": a1111,
}
"""By the beginning of the path; `native` for all others."""


def complaint_of(error: SealsmithError, request_id: str = "", parameter: str | None = None) -> Complaint:
    return Complaint(
        error.http_status, error.code, str(error), error.remedy, error.retry_after_s, parameter, request_id
    )


def complaint_of_unexpected(error: Exception, request_id: str) -> Complaint:
    """Of what is none of our errors: a disk that is full, or something that should not have happened."""
    if is_full(error):
        return complaint_of(
            FullError(
                "the server has no room left for what was sent",
                "send it again once whoever runs it has made room",
            ),
            request_id,
        )
    remedy = "report the request id to whoever runs this server"
    return Complaint(500, SealsmithError.code, "this should not have happened", remedy, request_id=request_id)


def answer(path: str, complaint: Complaint) -> JSONResponse:
    """The answer that says this to whoever asked for `path`."""
    shape = next((shape for start, shape in SHAPES.items() if path.startswith(start)), native)
    headers = {}
    if complaint.retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(complaint.retry_after_s))
    if complaint.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(shape(complaint), complaint.status, headers)


def add_error_answers(app: FastAPI) -> None:
    """Has every error of this app answered in its route's shape."""

    async def ours(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, SealsmithError)
        return answer(request.url.path, complaint_of(error, request_id_of(request)))

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return answer(request.url.path, _invalid(error, request_id_of(request)))

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return answer(request.url.path, _http(request, error))

    app.add_exception_handler(SealsmithError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def _invalid(error: RequestValidationError, request_id: str) -> Complaint:
    """The first thing that does not follow the schema: where, what was received, what is allowed."""
    first = error.errors()[0]
    where = [str(step) for step in first["loc"] if step not in ("body", "query", "path", "header")]
    parameter = ".".join(where) or None
    wrong = ConfigError(
        f"{parameter or 'the request'} cannot be {_shown(first.get('input'))}",
        f"{first['msg'][:1].lower()}{first['msg'][1:]}; GET /openapi.json has the schema",
    )
    return complaint_of(wrong, request_id, parameter)


def _http(request: Request, error: HTTPException) -> Complaint:
    """What the framework refuses; behind a body that could not be read stands the reason."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SealsmithError):
            return complaint_of(cause, request_id_of(request))
        cause = cause.__cause__
    if is_full(error):
        return complaint_of_unexpected(error, request_id_of(request))
    code = CODES_OF_STATUS.get(error.status_code, ConfigError.code)
    what = f"{request.method} {request.url.path[:MAX_SHOWN_CHARACTERS]}: {error.detail}"
    return Complaint(
        error.status_code,
        code,
        what,
        "GET /openapi.json lists every route",
        request_id=request_id_of(request),
    )


def request_id_of(request: Request) -> str:
    return str(request.scope.get("request_id", ""))


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}..."


def _sentences(complaint: Complaint) -> str:
    return f"{complaint.message}: {complaint.remedy}" if complaint.remedy else complaint.message
