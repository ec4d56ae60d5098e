"""Access control: only the bot and this server's own page may call.

A page of another site that is open in the same browser must not be able to use or read the chat:

- *DNS rebinding*: a ``Host`` header that does not name this server is refused.
- *Cross-site requests*: ``Origin``, if the browser sends it, must be this server's, and
  ``Sec-Fetch-Site`` must not be ``cross-site`` or ``same-site`` (another port of localhost). The
  only exceptions are links to the page itself and to the practice page, which contain no secret
  that a server could see.
- The page's calls need a secret key, new in every run, which only the page can read.
- Headers forbid framing, sniffing for another content type, and scripts in what is served.

Bot API calls are protected by the token, as with Telegram.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection

from aiohttp import web
from yarl import URL

KEY_HEADER = "X-Localchat-Key"
KEY_QUERY = "key"

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_PAGES = frozenset({"/", "/practice/"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Checks every request.

    Parameters
    ----------
    allowed_hosts : collection of str
        Names and addresses, without ports, under which the server may be called.
    """

    def __init__(self, allowed_hosts: Collection[str]) -> None:
        self._allowed_hosts = frozenset(host.strip("[]").lower() for host in allowed_hosts)
        self.key = secrets.token_urlsafe(24)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse requests from elsewhere with 403, and add security headers to every answer."""
        if not self._is_ours(request):
            response: web.StreamResponse = web.Response(
                status=403, text="This address is not served here."
            )
        else:
            response = await handler(request)
        if not response.prepared:
            self.protect(response)
        return response

    def check_key(self, request: web.Request) -> None:
        """Require the page's key, in a header or, for streams and files, in the query.

        Raises
        ------
        aiohttp.web.HTTPForbidden
            If it is missing or from an earlier run.
        """
        key = request.headers.get(KEY_HEADER) or request.query.get(KEY_QUERY, "")
        if not secrets.compare_digest(key.encode(), self.key.encode()):
            raise web.HTTPForbidden(text="The page has to be loaded again.")

    def protect(self, response: web.StreamResponse) -> None:
        """Add security headers to an answer; for a stream, before it begins."""
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)

    def _is_ours(self, request: web.Request) -> bool:
        if self._host_of(f"http://{request.host}") not in self._allowed_hosts:
            return False
        origin = request.headers.get("Origin")
        if origin not in {None, f"http://{request.host}", f"https://{request.host}"}:
            return False
        if request.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}:
            return True
        follows_link = request.headers.get("Sec-Fetch-Mode") == "navigate"
        return follows_link and request.method == "GET" and request.path in _PAGES

    @staticmethod
    def _host_of(address: str) -> str | None:
        try:
            return URL(address).host
        except ValueError:
            return None
