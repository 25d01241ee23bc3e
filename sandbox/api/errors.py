"""Answers that are not data, worded and typed like the real ones."""

from __future__ import annotations

from typing import Any

import orjson

_PAGE = (
    "<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>\n"
    '<div class="dialog"><h1>{title}</h1><p>{text}</p></div>\n</body>\n</html>\n'
)
_GATEWAY = (
    "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
    "<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_CLOUDFLARE = (
    '<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title>'
    '<meta http-equiv="Content-Type" content="text/html; charset=UTF-8"></head>'
    '<body><div class="main-wrapper" role="main"><noscript>Enable JavaScript and cookies to '
    "continue</noscript></div></body></html>"
)
_REASONS = {
    500: "500 Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
}
JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"
SPAM = b"429 Too Many Requests (Spam Rate Limit Exceeded)\n"
INVALID_CLIENT = (
    "Client authentication failed due to unknown client, no client authentication included, "
    "or unsupported authentication method."
)


class ApiError(Exception):
    """An answer other than 200: status, body, content type, further headers."""

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        content_type: str | None = JSON_TYPE,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers or {}


def json_error(status: int, body: Any, headers: dict[str, str] | None = None) -> ApiError:
    """Build an error with a JSON body."""
    return ApiError(status, orjson.dumps(body), headers=headers)


def bad_filter(name: str, allowed: list[str]) -> ApiError:
    """400: this endpoint does not filter on that attribute."""
    listing = ", ".join(allowed)
    return json_error(
        400,
        {
            "error": "Filter Error",
            "message": f"Attributes {name} doesn't exists. You can only filter on: [{listing}]",
        },
    )


def bad_range(name: str, allowed: list[str]) -> ApiError:
    """400: this endpoint does not range on that attribute."""
    listing = ", ".join(allowed)
    return json_error(
        400,
        {
            "error": "Range Error",
            "message": f"Attributes {name} doesn't exists. You can only range on: [{listing}]",
        },
    )


def bad_bounds(name: str) -> ApiError:
    """400: a range without exactly two readable bounds."""
    message = f"The range on {name} needs a minimum and a maximum"
    return json_error(400, {"error": "Range Error", "message": message})


def bad_sort(name: str) -> ApiError:
    """400: this endpoint does not sort by that field."""
    message = f"The {name} field is not sortable"
    return json_error(400, {"error": "Sort Error", "message": message})


def unusable(name: str, value: str) -> ApiError:
    """422: a value that the attribute cannot be compared with."""
    message = f"Invalid value {value} for attribute {name}"
    return json_error(422, {"error": "Filter Error", "message": message})


def missing_row() -> ApiError:
    """404 with the HTML page: the route exists, the row does not."""
    page = _PAGE.format(title="404 Not Found", text="The page you were looking for is not here.")
    return ApiError(404, page.encode(), HTML_TYPE)


def missing_route() -> ApiError:
    """404 with `{}`: the route does not exist for this application."""
    return ApiError(404, b"{}")


def denied() -> ApiError:
    """403 of a role that the application does not have."""
    message = "You are not authorized to access this page."
    return json_error(403, {"error": "Access Denied", "message": message})


def no_scope(scope: str) -> ApiError:
    """403 of a scope that the token does not have."""
    need = f"The action need the following scopes: [{scope}]"
    challenge = f'Bearer realm="42 API", error="insufficient scope", error_description="{need}"'
    return json_error(
        403,
        {"error": "Forbidden", "message": f"Insufficient scope. {need}"},
        {"WWW-Authenticate": challenge},
    )


def unauthorized(description: str) -> ApiError:
    """401 of a token that is missing, expired or revoked."""
    challenge = f'Bearer realm="42 API", error="invalid_token", error_description="{description}"'
    return json_error(401, {"status": 401, "error": description}, {"WWW-Authenticate": challenge})


def oauth(error: str, description: str, status: int = 401) -> ApiError:
    """An error of the token endpoint, also spelled out in WWW-Authenticate."""
    challenge = f'Bearer realm="42 API", error="{error}", error_description="{description}"'
    return json_error(
        status,
        {"error": error, "error_description": description},
        {"WWW-Authenticate": challenge},
    )


def invalid_client() -> ApiError:
    """401 of the token endpoint: unknown client or expired secret."""
    return oauth("invalid_client", INVALID_CLIENT)


def gateway(status: int) -> ApiError:
    """A 5xx as the servers in front write it."""
    reason = _REASONS.get(status, f"{status} Error")
    return ApiError(status, _GATEWAY.format(title=reason).encode(), "text/html")


def cloudflare() -> ApiError:
    """403 of Cloudflare's challenge page."""
    return ApiError(403, _CLOUDFLARE.encode(), "text/html; charset=UTF-8")


def empty_forbidden() -> ApiError:
    """403 without a body: no User-Agent, or Cloudflare in a mood."""
    return ApiError(403, b"", None)
