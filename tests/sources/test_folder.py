"""What a source folder says of its pictures: metadata.jsonl, texts beside them, lists."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources.folder import Folder, first_of, words
from instruct_imagen_data.sources.listing import MISSING, Picture

Fill = Callable[..., Path]


def test_pictures_are_found_with_their_sizes(fill: Fill) -> None:
    folder = Folder(
        f"{fill({'b/x.PNG': 'four', 'a.jpg': '', 'notes.txt': 'n', 'b/c/y.webp': 'sixsix'})}/"
    )
    assert folder.pictures() == ["a.jpg", "b/c/y.webp", "b/x.PNG"]
    assert folder.sizes == {"a.jpg": 0, "b/c/y.webp": 6, "b/x.PNG": 4, "notes.txt": 1}
    assert folder.picture("b/x.PNG") == Picture("b/x.PNG", 4)
    assert folder.picture("none.jpg") == Picture("none.jpg", MISSING)


def test_a_line_of_metadata_goes_before_a_text_beside(fill: Fill) -> None:
    lines = [
        {"file_name": "a.jpg", "text": " a  red\ncat ", "caption": "no", "licence": "CC0"},
        {"file": "b.jpg", "caption": "a dog", "license": "CC-BY 4.0"},
        {"file_name": "c.jpg", "text": " ", "caption": None, "license": 3},
        {"file_name": "gone.jpg", "text": "a mouse"},
    ]
    place = fill(
        {
            "metadata.jsonl": "\n".join(map(json.dumps, lines)),
            "a.jpg": "1", "a.txt": "beside a", "b.jpg": "12", "c.jpg": "123",
            "c.txt": "beside\n\n  c \n", "d.jpg": "1234",
        }
    )  # fmt: skip
    folder = Folder(str(place), "of the set")
    assert [folder.picture(path) for path in folder.pictures()] == [
        Picture("a.jpg", 1, "a red cat", "CC0"),
        Picture("b.jpg", 2, "a dog", "CC-BY 4.0"),
        Picture("c.jpg", 3, "beside c", "of the set"),
        Picture("d.jpg", 4, "", "of the set"),
    ]


def test_texts_as_the_world_writes_them(fill: Fill) -> None:
    """A mark of byte order, Windows' line ends, line separators within JSON, half a character."""
    told = [
        '{"file_name": "a.jpg", "text": "one\u2028two\x85three"}',
        '{"file_name": "b.jpg", "text": "a cat \\ud83d", "artist": "\\udc00"}',
        '{"file_name": "c.jpg", "text": "caf\xe9"}',
    ]
    place = fill(
        {
            "metadata.jsonl": "\ufeff" + "\r\n".join(told) + "\r\n",
            "a.jpg": "1", "b.jpg": "1", "c.jpg": "1", "d.jpg": "1",
            "d.txt": b"\xef\xbb\xbfcaf\xe9",
        }
    )  # fmt: skip
    folder = Folder(str(place))
    captions = [folder.picture(path).caption for path in folder.pictures()]
    assert captions == ["one two three", "a cat ?", "caf\xe9", "caf\ufffd"]
    assert first_of(folder.told["b.jpg"], ("artist",)) == "?"
    assert all(caption.encode() for caption in captions)


@pytest.mark.parametrize(
    ("text", "words_of_error"),
    [
        ('{"file_name": "a.jpg"}\n\n{"file_name": ', "metadata.jsonl, line 3: "),
        ('\n{"text": "a cat"}', "metadata.jsonl, line 2: no 'file_name'"),
        ('["a.jpg"]', "metadata.jsonl, line 1: no 'file_name'"),
        ('{"file_name": 3}', "metadata.jsonl, line 1: no 'file_name'"),
    ],
)
def test_malformed_metadata(fill: Fill, text: str, words_of_error: str) -> None:
    place = fill({"metadata.jsonl": text, "a.jpg": "1"})
    with pytest.raises(UsageError) as error:
        Folder(str(place))
    assert str(error.value).startswith(f"{place}/{words_of_error}")
    assert "\n" not in str(error.value)


def test_an_empty_or_missing_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name in ("empty", "none"):
        with pytest.raises(UsageError, match=f"{name}: no such folder, or an empty one"):
            Folder(str(tmp_path / name))
    with pytest.raises(UsageError, match="file is a file: name the folder"):
        Folder(str(tmp_path / "file"))


def test_a_name_that_cannot_be_read(fill: Fill) -> None:
    place = fill({"a.jpg": "1"})
    (place / os.fsdecode(b"caf\xe9.jpg")).touch()
    with pytest.raises(UsageError, match=r"a file's name is no UTF-8: .*caf\\xe9\.jpg"):
        Folder(str(place))


def test_a_list_that_is_not_there(fill: Fill) -> None:
    folder = Folder(str(fill({"a.jpg": "1", "list.txt": "\n a \n\n b"})))
    assert folder.lines("list.txt") == [(2, "a"), (4, "b")]
    with pytest.raises(UsageError, match=r"no other\.txt, by which its pictures are known"):
        folder.lines("other.txt")


def test_words() -> None:
    assert words("Post_Impressionism") == "Post Impressionism"
    assert words("-a--b_ c-") == "a b c"
