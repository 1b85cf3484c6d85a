"""What all who ask an OpenAI-compatible endpoint share: the client, the key, prices, errors.

The key is read here alone, and no text that leaves this module holds it.
"""

import dataclasses
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from instruct_imagen_data.errors import UsageError

if TYPE_CHECKING:
    import openai

KEY_VARIABLE = "OPENAI_API_KEY"
_NO_KEY = "none"  # a local server wants none, the client one
_LONGEST = 400  # characters of a server's message
_LIKE_A_KEY = re.compile(r"\bsk-[\w*.-]+")  # also one that the server has shortened
_MILLION = 1e6


@dataclasses.dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens read and written."""

    read: float
    written: float

    def cost(self, read: float, written: float) -> float:
        """US dollars of so many tokens."""
        return (read * self.read + written * self.written) / _MILLION


def connect(base_url: str, timeout: float, retries: int) -> "openai.OpenAI":
    """A client of an endpoint; it asks nothing yet.

    Args:
      base_url: Such as "https://api.openai.com/v1".
      timeout: Seconds without a byte.
      retries: After 429, 5xx and timeouts, by the client itself.

    Raises:
      UsageError: no address, or a key that cannot be sent.
    """
    import openai

    if urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).hostname:
        raise UsageError("the endpoint's address begins with http:// or https://, and names a host")
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"${KEY_VARIABLE} is no key: it holds letters that no key has")
    return openai.OpenAI(
        base_url=base_url, api_key=key or _NO_KEY, timeout=timeout, max_retries=retries
    )


def place(client: "openai.OpenAI") -> str:
    """The address of a client's endpoint, without a password that it may hold."""
    parts = urlsplit(str(client.base_url))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def told(error: Exception) -> str:
    """What an error says, on one line, without the key."""
    text = " ".join(str(error).split())
    key = os.environ.get(KEY_VARIABLE, "").strip()
    text = _LIKE_A_KEY.sub("sk-***", text.replace(key, "***") if key else text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
