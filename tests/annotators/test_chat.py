"""What all askers share: the address is one, and no text holds the key."""

import pytest

from instruct_imagen_data.annotators import chat
from instruct_imagen_data.errors import UsageError


def test_prices_are_of_a_million_tokens() -> None:
    assert chat.Prices(2.5, 10).cost(4000, 500) == pytest.approx(0.015)


@pytest.mark.parametrize(
    "address", ["", "api.openai.com/v1", "ftp://host/v1", "http://", "http:/v1"]
)
def test_an_address_is_http_with_a_host(address: str) -> None:
    with pytest.raises(UsageError, match="begins with http"):
        chat.connect(address, 1, 0)


@pytest.mark.parametrize("key", ["sécret-key", "secret\nkey", "secret\tkey"])
def test_what_is_no_key_is_not_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(chat.KEY_VARIABLE, key)
    with pytest.raises(UsageError, match=r"\$OPENAI_API_KEY is no key") as refused:
        chat.connect("http://localhost/v1", 1, 0)
    assert "cret" not in str(refused.value)


def test_keys_and_passwords_are_cut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(chat.KEY_VARIABLE, " my/own.key\n")
    client = chat.connect("https://ann:pass@host:81/v1", 1, 0)
    assert client.api_key == "my/own.key"
    assert chat.place(client) == "https://host:81/v1/"
    error = ValueError("Bearer my/own.key is bad,\n as is sk-proj-12*****ab.c, not ask-me")
    assert chat.told(error) == "Bearer *** is bad, as is sk-***, not ask-me"
    assert len(chat.told(ValueError("x" * 9999))) == 403
    monkeypatch.delenv(chat.KEY_VARIABLE)
    assert chat.told(ValueError("plain")) == "plain"
