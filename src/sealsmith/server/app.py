"""The app: all routes, around one service, and the document that describes them.

    app = create_app(service)

Not for: listening (listening.py), or making what the service needs (local_service.py).
"""

from collections.abc import Collection
from enum import Enum
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from .. import __version__
from . import (
    a1111_routes,
    openai_routes,
    routes_admin,
    routes_bases,
    routes_grants,
    routes_images,
    routes_me,
    routes_pictures,
    routes_seal_files,
    routes_seals,
    routes_status,
    routes_studies,
    routes_trainings,
    routes_triggers,
    studio,
)
from .a1111_schema import A1111ErrorBody
from .answers import add_error_answers
from .frame import Patience, RequestFrame
from .openai_schema import OpenAIErrorBody
from .schema import ErrorBody
from .service import SCHEMES, Service, scope_of

ROUTES = (
    routes_images,
    routes_seals,
    routes_seal_files,
    routes_grants,
    routes_trainings,
    routes_studies,
    routes_triggers,
    routes_me,
    routes_admin,
    routes_bases,
    routes_pictures,
    openai_routes,
    a1111_routes,
)
"""Those that ask for a key, in the document's order."""
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""What is answered without a key."""
ERROR_BODIES: dict[str | Enum, type[BaseModel]] = {"openai": OpenAIErrorBody, "a1111": A1111ErrorBody}
"""By a dialect's tag."""


def create_app(
    service: Service, patience: Patience | None = None, hosts: Collection[str] | None = None
) -> FastAPI:
    """The whole service as an ASGI app. `hosts`: the names it answers to; None: any."""
    app = _routed()
    app.state.service = service
    add_error_answers(app)
    app.add_middleware(
        RequestFrame,
        metrics=service.metrics,
        patience=patience or Patience(),
        hosts=hosts,
        tracing=service.tracing,
    )
    return app


def document() -> dict[str, Any]:
    """The OpenAPI document, as `/openapi.json` gives it."""
    return _routed().openapi()


def _routed() -> FastAPI:
    app = FastAPI(
        title="Sealsmith",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        separate_input_output_schemas=False,
    )
    app.include_router(routes_status.router, responses=_errors(ErrorBody))
    for module in ROUTES:
        model = ERROR_BODIES.get(module.router.tags[0], ErrorBody)
        app.include_router(module.router, responses=_errors(model))
    app.include_router(studio.router)
    described = app.openapi
    app.openapi = lambda: _with_scopes(_without_422(described()))  # type: ignore[method-assign]
    return app


def _errors(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"model": model, "description": f"An error of the {kind}."}
        for status, kind in (("4XX", "request"), ("5XX", "server"))
    }


def _without_422(document: dict[str, Any]) -> dict[str, Any]:
    """The document without FastAPI's own answer to what does not follow the schema; ours is a 400."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document


def _with_scopes(document: dict[str, Any]) -> dict[str, Any]:
    """The document with how a key is sent and what it must be for, as the routes themselves have it.

    FastAPI's own classes for this would be asked on every request, only to be described.
    """
    document["components"]["securitySchemes"] = SCHEMES
    routes = [route for module in ROUTES for route in module.router.routes if isinstance(route, APIRoute)]
    for route in routes:
        if (scope := scope_of(route.dependant)) is not None:
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                operation["security"] = [{name: []} for name in SCHEMES]
                operation["x-scope"] = scope
    return document


def _operation_id(route: APIRoute) -> str:
    return route.name
