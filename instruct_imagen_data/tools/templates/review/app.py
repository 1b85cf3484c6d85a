"""The web application: addresses, refusals, and nothing that is decided here."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.templates.drafts import DECISIONS
from instruct_imagen_data.tools.templates.review import guard
from instruct_imagen_data.tools.templates.review.desk import Desk, NotFit, Place, Sheet
from instruct_imagen_data.tools.templates.review.page import Pages

Form = dict[str, str]


def application(desk: Desk) -> FastAPI:
    """The pages of a desk: / (all datasets), /DATASET/NUMBER (a draft)."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    token = guard.new_token()
    pages = Pages(desk, token)
    _add_guard(app, pages)
    _add_pages(app, desk, pages, token)
    return app


def _add_guard(app: FastAPI, pages: Pages) -> None:
    @app.middleware("http")
    async def guarded(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        request.state.nonce = nonce = secrets.token_urlsafe(16)
        try:
            guard.check_origin(request.headers)
            response = await call_next(request)
        except guard.Refused as error:
            response = PlainTextResponse(f"refused: {error}\n", 403)
        response.headers.update(guard.headers_of(nonce))
        return response

    @app.exception_handler(guard.Refused)
    def refused(request: Request, error: guard.Refused) -> Response:
        return PlainTextResponse(f"refused: {error}\n", 403)

    @app.exception_handler(UsageError)
    def failed(request: Request, error: UsageError) -> Response:
        return HTMLResponse(pages.message(str(error), request.state.nonce), 500)


def _add_pages(app: FastAPI, desk: Desk, pages: Pages, token: str) -> None:
    async def form(request: Request) -> Form:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > guard.LARGEST_FORM:
                break
        return guard.form_of(request.headers, body, token)

    def sheet(dataset: str, number: int) -> Sheet:
        found = desk.sheet(Place(dataset, number))
        if found is None:
            raise HTTPException(404, "no such draft")
        return found

    @app.get("/")
    def overview(request: Request) -> Response:
        return HTMLResponse(pages.overview(request.state.nonce))

    @app.get("/{dataset}/{number}")
    def look(request: Request, of: Annotated[Sheet, Depends(sheet)]) -> Response:
        return HTMLResponse(pages.sheet(of, request.state.nonce, {}))

    @app.post("/{dataset}/{number}")
    def decide(
        request: Request,
        said: Annotated[Form, Depends(form)],
        of: Annotated[Sheet, Depends(sheet)],
    ) -> Response:
        nonce = request.state.nonce
        if said.get("draft") != of.draft.id or said.get("decision") not in DECISIONS:
            return HTMLResponse(pages.message("That form is of another draft.", nonce), 409)
        text = said.get("text", "").replace("\r\n", "\n")
        try:
            desk.decide(of, said["decision"], text, said.get("reason", ""))
        except NotFit as error:
            return HTMLResponse(pages.sheet(of, nonce, said, str(error)), 422)
        following = desk.next_open(of.place)
        place = f"/{following.dataset}/{following.number}" if following else "/"
        return RedirectResponse(place, 303)

    @app.post("/{dataset}/{number}/preview")
    def preview(
        said: Annotated[Form, Depends(form)], of: Annotated[Sheet, Depends(sheet)]
    ) -> Response:
        text = said.get("text", "").replace("\r\n", "\n").strip()
        return HTMLResponse(pages.preview(text, of))
