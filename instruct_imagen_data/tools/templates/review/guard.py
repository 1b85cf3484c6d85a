"""Who may talk to the page: a browser on this machine that looks at the page itself.

The server listens on the loopback address, but every web site that a browser shows can send
requests there. What tells them apart are headers that no script can forge.
"""

import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from instruct_imagen_data.errors import UsageError

HOST = "127.0.0.1"
_NAMES = (HOST, "localhost")  # with any port: an ssh tunnel has another one
LARGEST_FORM = 1 << 16  # bytes
_FORM = "application/x-www-form-urlencoded"
TOKEN = "token"


class Refused(UsageError):
    """A request that is not answered; says why."""


def new_token() -> str:
    """A secret of this process, that its own forms hold and no other site can read."""
    return secrets.token_urlsafe(32)


def check_origin(headers: Mapping[str, str]) -> None:
    """Lets requests pass that come from the page itself, or from somebody who typed its address.

    Raises:
      Refused: under another name (a site whose name was bound to this machine), or sent by
        another site.
    """
    host = headers.get("host", "")
    if _name(host) not in _NAMES:
        raise Refused(f"this page is at {HOST}, not at {host or 'no host'}")
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        raise Refused(f"the request was sent by {origin}")
    site = headers.get("sec-fetch-site", "none")
    if site not in ("none", "same-origin"):
        raise Refused(f"the request was sent by another site ({site})")


def _name(host: str) -> str:
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises on a port that is no number
    except ValueError:
        return ""
    plain = parts.netloc == host and "@" not in host
    return parts.hostname or "" if plain else ""


def form_of(headers: Mapping[str, str], body: bytes, token: str) -> dict[str, str]:
    """The fields of a form that this process has sent out.

    Raises:
      Refused: it is no form, too large, or without the token.
    """
    if headers.get("content-type", "").split(";")[0].strip().lower() != _FORM:
        raise Refused(f"a form is sent as {_FORM}")
    if len(body) > LARGEST_FORM:
        raise Refused(f"the form is larger than {LARGEST_FORM >> 10} KiB")
    try:
        fields = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=16))
    except ValueError as error:
        raise Refused(f"the form cannot be read: {error}") from error
    if not hmac.compare_digest(fields.get(TOKEN, "").encode(), token.encode()):
        raise Refused("the form is of an earlier start of this page: load the page again")
    return fields


def headers_of(nonce: str) -> dict[str, str]:
    """Headers of each answer: nothing is loaded from elsewhere, run from elsewhere, or framed."""
    policy = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'nonce-{nonce}'",
        "script-src": f"'nonce-{nonce}'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
