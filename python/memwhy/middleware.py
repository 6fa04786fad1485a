# SPDX-License-Identifier: MIT
"""Regions for web applications: what a request allocates is in a region named for its route.

    app = memwhy.middleware.WSGIRegions(app)     # Flask, Django, Bottle, …
    app = memwhy.middleware.ASGIRegions(app)     # Starlette, FastAPI, Django, …

A region is named when the request comes in, before the application has looked at it, so the
application's own table of routes is asked, if it has one that we know; else the name is the
method and the first part of the path.  Names are few however many paths clients make up.
docs/regions.md says more.
"""
import re

from memwhy._regions import region

__all__ = ["ASGIRegions", "WSGIRegions"]

# Of paths that no table of routes explains: beyond these they are all one.
_PATHS_MAXIMUM = 200

_LONGEST_PART = 40
_FIRST_PART = re.compile(r"/*([^/]*)(/?)")
# Numbers, UUIDs and other hexadecimal, and what mixes letters with several digits.
_IDENTIFIER = re.compile(r"[0-9a-fA-F-]*[0-9][0-9a-fA-F-]*|(?=(?:[^0-9]*[0-9]){4}).*")
_METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT WEBSOCKET".split())


class WSGIRegions:
    """A WSGI application around another, each of whose requests is a region.

    name    a function that names the region of a request from its environ, or returns None
            for a request that is to be in none; by default the method and the route
    """

    def __init__(self, app, *, name=None):
        self.app = app
        self._name = name if name is not None else _Names(_wsgi_router(app), _wsgi_request)

    def __call__(self, environ, start_response):
        name = self._name(environ)
        if name is None:
            return self.app(environ, start_response)
        with region(name):
            body = self.app(environ, start_response)
        # These are made already, and servers look at what they are.
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(body, (list, tuple)) or (
            isinstance(wrapper, type) and isinstance(body, wrapper)
        ):
            return body
        return _Body(region(name), body)


class _Body:
    """The rest of a response, made piece by piece while the server asks for it."""

    def __init__(self, region, body):
        self._region = region
        self._body = body
        self._pieces = None

    def __iter__(self):
        return self

    def __next__(self):
        with self._region:
            if self._pieces is None:
                self._pieces = iter(self._body)
            return next(self._pieces)

    def close(self):
        close = getattr(self._body, "close", None)
        if close is not None:
            with self._region:
                close()


class ASGIRegions:
    """An ASGI application around another, each of whose requests is a region.

    name    a function that names the region of a request from its scope, or returns None for
            a request that is to be in none; by default the method and the route.  Only http
            and websocket scopes are named
    """

    def __init__(self, app, *, name=None):
        self.app = app
        self._name = name if name is not None else _Names(_asgi_router(app), _asgi_request)

    async def __call__(self, scope, receive, send):
        name = self._name(scope) if scope["type"] in ("http", "websocket") else None
        if name is None:
            return await self.app(scope, receive, send)
        with region(name):
            return await self.app(scope, receive, send)


# ── names ─────────────────────────────────────────────────────────────────────────────


class _Names:
    """Method and route.  `route` gives the route's template for a request, or None; it may
    raise whatever it likes: naming must not fail a request."""

    def __init__(self, route, request):
        self._route = route
        self._request = request
        self._paths = set()

    def __call__(self, request):
        method, path = self._request(request)
        if method not in _METHODS:
            method = "OTHER"
        route = None
        if self._route is not None:
            try:
                route = self._route(request)
            except Exception:
                pass
        if not isinstance(route, str) or not route:
            route = self._bounded(_fold(path))
        return f"{method} {route}"

    def _bounded(self, path):
        if path not in self._paths:
            if len(self._paths) >= _PATHS_MAXIMUM:
                return "<other paths>"
            self._paths.add(path)
        return path


def _fold(path):
    """The first part of a path, with what looks like an identifier as {id}."""
    part, rest = _FIRST_PART.match(path).groups()
    if _IDENTIFIER.fullmatch(part) or len(part) > _LONGEST_PART:
        part = "{id}"
    return f"/{part}/…" if rest else f"/{part}"


def _wsgi_request(environ):
    return environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", "")


def _asgi_request(scope):
    method = "WEBSOCKET" if scope["type"] == "websocket" else scope.get("method", "")
    return method, scope.get("path", "")


# ── tables of routes ──────────────────────────────────────────────────────────────────


def _layers(app):
    """The application and what it wraps: bound methods (app.wsgi_app of Flask), and the
    attributes that middleware keeps the next in."""
    for _ in range(50):
        if app is None:
            return
        yield app
        owner = getattr(app, "__self__", None)
        if owner is not None:
            yield owner
        app = getattr(app, "app", None) or getattr(app, "application", None)


def _wsgi_router(app):
    for layer in _layers(app):
        if hasattr(layer, "url_map") and hasattr(layer.url_map, "bind_to_environ"):
            return lambda environ: _werkzeug_route(layer.url_map, environ)
        if _is_django(layer):
            return lambda environ: _django_route(environ.get("PATH_INFO", ""))
    return None


def _werkzeug_route(url_map, environ):
    adapter = url_map.bind_to_environ(environ)
    return adapter.match(return_rule=True)[0].rule


def _asgi_router(app):
    for layer in _layers(app):
        routes = getattr(layer, "routes", None)
        if isinstance(routes, list):
            return lambda scope: _starlette_route(layer, scope)
        if _is_django(layer):
            return lambda scope: _django_route(scope.get("path", ""))
    return None


def _starlette_route(app, scope):
    # Within a route somebody has looked already.
    known = getattr(scope.get("route"), "path", None)
    if known is not None:
        return known
    return _match_starlette(app.routes, scope)


def _match_starlette(routes, scope):
    """As starlette.routing.Router matches; mounted applications are entered."""
    partial = None
    for route in routes:
        match, below = route.matches(scope)
        if match.name == "NONE":
            continue
        template = getattr(route, "path", "")
        inner = getattr(route, "routes", None)
        if inner:
            found = _match_starlette(inner, {**scope, **below})
            template = template + found if found is not None else template + "/…"
        if match.name == "FULL":
            return template
        partial = partial or template  # the path is right, the method is not
    return partial


def _is_django(app):
    return any(
        kind.__module__.startswith("django.core.handlers.") for kind in type(app).__mro__
    )


def _django_route(path):
    from django.urls import resolve

    return "/" + resolve(path).route
