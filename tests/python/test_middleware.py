# SPDX-License-Identifier: MIT
"""memwhy.middleware: what a request allocates is in a region named for its route."""
import asyncio
from types import SimpleNamespace
from wsgiref.util import setup_testing_defaults

import pytest

import memwhy
from memwhy.middleware import ASGIRegions, WSGIRegions, _fold

pytestmark = pytest.mark.usefixtures("traced")


@pytest.fixture
def traced(untraced):
    memwhy.start()


class Thing:
    pass


def region_of(thing):
    names = [frame.function for frame in memwhy.get_object_traceback(thing)
             if frame.filename == "<region>"]
    assert len(names) < 2
    return names[0] if names else None


# ── WSGI ──────────────────────────────────────────────────────────────────────────────


def get(app, path, method="GET", **more):
    environ = {"PATH_INFO": path, "REQUEST_METHOD": method, **more}
    setup_testing_defaults(environ)
    return app(environ, lambda status, headers: None)


class Application:
    """A WSGI application that keeps what it allocates."""

    def __init__(self, answer=lambda keep: [b"done"]):
        self.kept = []
        self.answer = answer

    def keep(self):
        self.kept.append(Thing())

    def __call__(self, environ, start_response):
        self.keep()
        start_response("200 OK", [])
        return self.answer(self.keep)

    def regions(self):
        return [region_of(thing) for thing in self.kept]


def test_a_request_is_named_by_method_and_first_part_where_nobody_knows_routes():
    app = Application()
    wrapped = WSGIRegions(app)
    for path in ("/", "/users/17/posts", "/health", "/3f2a/x", "//odd", ""):
        get(wrapped, path)
    get(wrapped, "/users", method="POST")
    get(wrapped, "/", method="XYZZY")
    assert app.regions() == ["GET /", "GET /users/…", "GET /health", "GET /{id}/…", "GET /odd",
                             "GET /", "POST /users", "OTHER /"]


@pytest.mark.parametrize("path, folded", [
    ("/users", "/users"), ("/v1/x", "/v1/…"), ("/123", "/{id}"), ("/beef", "/beef"),
    ("/3fa85f64-5717-4562-b3fc-2c963f66afa6/x", "/{id}/…"), ("/a1b2c3d4z", "/{id}"),
    ("/" + "x" * 50, "/{id}"), ("/utf8-Straße", "/utf8-Straße"),
])
def test_what_looks_like_an_identifier_is_folded(path, folded):
    assert _fold(path) == folded


def test_there_is_an_end_to_paths_that_clients_make_up():
    app = Application()
    wrapped = WSGIRegions(app)
    for a in "abcdefghijklmnop":
        for b in "abcdefghijklmnop":
            get(wrapped, f"/{a}{b}")
    names = app.regions()
    assert len(set(names)) == 201
    assert names[-1] == "GET <other paths>" and names[0] == "GET /aa"


def test_the_application_may_be_asked_for_names():
    app = Application()
    wrapped = WSGIRegions(app, name=lambda environ: environ.get("tenant"))
    get(wrapped, "/", tenant="acme")
    get(wrapped, "/")
    assert app.regions() == ["acme", None]


def test_a_response_made_piece_by_piece_is_in_the_region():
    closed = []

    def pieces(keep):
        try:
            for _ in range(3):
                keep()
                yield b"x"
        finally:
            keep()
            closed.append(True)

    app = Application(pieces)
    body = get(WSGIRegions(app), "/stream")
    assert next(iter(body)) == b"x"
    assert list(body) == [b"x", b"x"]
    body.close()
    assert closed == [True]
    assert app.regions() == ["GET /stream"] * 5
    assert region_of(Thing()) is None


def test_a_response_that_is_there_is_handed_on_as_it_is():
    class FileWrapper:
        pass

    whole, file = [b"all"], FileWrapper()
    assert get(WSGIRegions(Application(lambda keep: whole)), "/") is whole
    assert get(WSGIRegions(Application(lambda keep: file)), "/",
               **{"wsgi.file_wrapper": FileWrapper}) is file


def test_an_error_of_the_application_passes():
    def fail(keep):
        raise KeyError("theirs")

    with pytest.raises(KeyError, match="theirs"):
        get(WSGIRegions(Application(fail)), "/")
    assert region_of(Thing()) is None


def test_werkzeug_is_asked_for_the_rule():
    class Map:
        def bind_to_environ(self, environ):
            return self

        def match(self, return_rule):
            return SimpleNamespace(rule="/users/<int:number>"), {}

    app = Application()
    app.url_map = Map()
    get(WSGIRegions(app), "/users/3")
    get(WSGIRegions(app.__call__), "/users/3")  # as Flask's app.wsgi_app is wrapped
    get(WSGIRegions(SimpleNamespaceApplication(app)), "/users/3")
    assert app.regions() == ["GET /users/<int:number>"] * 3


class SimpleNamespaceApplication:
    """Another middleware around."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)


def test_a_table_of_routes_that_fails_costs_the_name_alone():
    class Map:
        def bind_to_environ(self, environ):
            raise RuntimeError("no such page")

    app = Application()
    app.url_map = Map()
    assert get(WSGIRegions(app), "/page") == [b"done"]
    assert app.regions() == ["GET /page"]


# ── ASGI ──────────────────────────────────────────────────────────────────────────────


def call(app, path="/", **scope):
    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        pass

    scope = {"type": "http", "method": "GET", "path": path, **scope}
    return asyncio.run(app(scope, receive, send))


class AsyncApplication:
    def __init__(self):
        self.kept = []

    async def __call__(self, scope, receive, send):
        self.kept.append((scope.get("path"), Thing()))
        await receive()
        await asyncio.sleep(0)
        self.kept.append((scope.get("path"), Thing()))

    def regions(self):
        return [region_of(thing) for _, thing in self.kept]


def test_requests_and_websockets_are_named_and_other_scopes_are_not():
    app = AsyncApplication()
    wrapped = ASGIRegions(app)
    call(wrapped, "/users/1")
    call(wrapped, "/chat", type="websocket")
    call(wrapped, type="lifespan")
    assert app.regions() == ["GET /users/…"] * 2 + ["WEBSOCKET /chat"] * 2 + [None] * 2


def test_requests_at_the_same_time_keep_apart():
    app = AsyncApplication()
    wrapped = ASGIRegions(app)

    async def main():
        async def receive():
            await asyncio.sleep(0)

        await asyncio.gather(*(wrapped({"type": "http", "method": "GET", "path": f"/{name}"},
                                       receive, None) for name in "abcdefgh" * 4))

    asyncio.run(main())
    assert len(app.kept) == 64
    assert [region_of(thing) for _, thing in app.kept] == [f"GET {path}" for path, _ in app.kept]


class Match:
    NONE, PARTIAL, FULL = (SimpleNamespace(name=name) for name in ("NONE", "PARTIAL", "FULL"))


class Route:
    """As starlette's routes are asked; one prefix is enough here."""

    def __init__(self, path, prefix, method="GET", routes=None):
        self.path, self.prefix, self.method = path, prefix, method
        if routes is not None:
            self.routes = routes

    def matches(self, scope):
        if not scope["path"].startswith(self.prefix):
            return Match.NONE, {}
        below = {"path": scope["path"][len(self.prefix):]}
        return (Match.FULL if scope["method"] == self.method else Match.PARTIAL), below


def test_starlette_is_asked_for_the_template():
    app = AsyncApplication()
    app.routes = [Route("/users/{number}", "/users/"),
                  Route("/mounted", "/mounted", routes=[Route("/deep/{x}", "/deep")]),
                  Route("/posted", "/posted", "POST")]
    wrapped = ASGIRegions(app)
    for path in ("/users/3", "/mounted/deep/3", "/mounted/else", "/posted", "/neither"):
        call(wrapped, path)
    call(wrapped, "/x", route=SimpleNamespace(path="/known/{already}"))
    assert app.regions()[::2] == ["GET /users/{number}", "GET /mounted/deep/{x}",
                                  "GET /mounted/…", "GET /posted", "GET /neither",
                                  "GET /known/{already}"]


def test_errors_of_an_asgi_application_pass():
    async def app(scope, receive, send):
        raise KeyError("theirs")

    with pytest.raises(KeyError, match="theirs"):
        call(ASGIRegions(app))


# ── real frameworks, where they are installed ─────────────────────────────────────────


def test_flask():
    flask = pytest.importorskip("flask")
    kept = []
    app = flask.Flask("shop")

    @app.route("/orders/<int:number>")
    def order(number):
        kept.append(Thing())
        return "ok"

    app.wsgi_app = WSGIRegions(app.wsgi_app)
    assert app.test_client().get("/orders/7").status_code == 200
    assert [region_of(thing) for thing in kept] == ["GET /orders/<int:number>"]


def test_starlette():
    applications = pytest.importorskip("starlette.applications")
    routing = pytest.importorskip("starlette.routing")
    responses = pytest.importorskip("starlette.responses")
    kept = []

    async def order(request):
        kept.append(Thing())
        return responses.PlainTextResponse("ok")

    inner = routing.Mount("/shop", routes=[routing.Route("/orders/{number}", order)])
    app = applications.Starlette(routes=[inner])
    call(ASGIRegions(app), "/shop/orders/7", headers=[], query_string=b"", root_path="")
    assert [region_of(thing) for thing in kept] == ["GET /shop/orders/{number}"]
