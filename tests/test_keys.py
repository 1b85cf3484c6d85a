"""Keys and ids: content alone decides."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from instruct_imagen_data import keys


@pytest.mark.parametrize(
    "spelling",
    [
        "https://example.com/a/cat.jpg",
        "http://EXAMPLE.com/a/cat.jpg",
        "//example.com/a/cat.jpg#top",
        "https://example.com:443/a/cat.jpg?utm_source=mail&utm_id=3",
        "  https://example.com/a/cat.jpg?fbclid=1 ",
    ],
)
def test_spellings_of_one_address(spelling: str) -> None:
    assert keys.normalise_url(spelling) == "example.com/a/cat.jpg"


@pytest.mark.parametrize(
    "other",
    [
        "https://example.com/a/CAT.jpg",  # paths are case-sensitive
        "https://example.com/a/cat.jpg?size=2",
        "https://cdn.example.com/a/cat.jpg",
        "https://example.com:8080/a/cat.jpg",
    ],
)
def test_other_addresses_stay_apart(other: str) -> None:
    assert keys.normalise_url(other) != "example.com/a/cat.jpg"


@pytest.mark.parametrize(
    "text", ["", "   ", "http://[broken", "not a url", "http://a:port/x", "\x00"]
)
def test_text_that_is_no_url(text: str) -> None:
    assert isinstance(keys.normalise_url(text), str)
    assert isinstance(keys.site_file(text), str)


def test_site_file() -> None:
    assert keys.site_file("https://img.shop.co.uk/x/Cat.JPG?w=3") == "shop.co.uk/cat.jpg"
    assert keys.site_file("https://shop.co.uk/x/") == ""
    assert keys.site_file("http://127.0.0.1/a.jpg") == "127.0.0.1/a.jpg"


@given(st.text(), st.text(), st.binary())
def test_pair_key_tells_its_parts_apart(url: str, caption: str, image: bytes) -> None:
    key = keys.pair_key(url, caption, image)
    assert len(key) == 64
    assert key == keys.pair_key(url, caption, image)
    assert key != keys.pair_key(url, caption + "x", image)
    assert key != keys.pair_key(url, caption, image + b"x")


@given(st.text(), st.text())
def test_unit_is_a_draw(key: str, salt: str) -> None:
    assert 0.0 <= keys.unit(key, salt) < 1.0


def test_unit_is_uniform() -> None:
    draws = [keys.unit(str(i), "test") for i in range(20_000)]
    tenths = [sum(i / 10 <= d < (i + 1) / 10 for d in draws) for i in range(10)]
    assert all(abs(n - 2000) < 200 for n in tenths)


def test_ids() -> None:
    assert keys.id64("") == 0
    assert 0 < keys.id64("a") < 2**63
    assert keys.id64("a") != keys.id64("b")


def test_derived_keys_depend_on_all_that_made_the_row() -> None:
    key = keys.derived_key("depth_webli", ["a", "b"])
    assert len(key) == 64
    others = [("edge_webli", ["a", "b"], ""), ("depth_webli", ["b", "a"], ""),
              ("depth_webli", ["a", "b"], "strong"), ("depth_webli", ["ab"], "")]  # fmt: skip
    assert key not in {keys.derived_key(*one) for one in others}


def test_licences_of_all_parents_travel() -> None:
    assert keys.join_licences(["MIT", "CC-BY-4.0; MIT", ""]) == "CC-BY-4.0; MIT; unknown"
    assert keys.join_licences([]) == "unknown"
