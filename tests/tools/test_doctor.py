"""`doctor`: what it says of weight files, versions and the environment, and its exit code."""

import hashlib
import re
from importlib import metadata
from pathlib import Path

from instruct_imagen_data import cli
from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.annotators.roles import OPTIONAL
from instruct_imagen_data.tools import doctor
from instruct_imagen_data.tools.doctor import NOTE, OK, WRONG

CONTENT = b"weights"


def write_set(folder: Path, sha256: str) -> str:
    """A model set whose two weight files are one.bin and two.bin beside it; no other roles."""
    names = iter(["one.bin", "two.bin"])
    text = model_set.SHIPPED.joinpath("embedded.toml").read_text()
    roles = "|".join(OPTIONAL)
    text = re.sub(rf"^\[({roles})[].](.|\n)*?(?=^\[(?!\1)|\Z)", "", text, flags=re.M)
    text = re.sub(r'^weights = ".*"', lambda _: f'weights = "{next(names)}"', text, flags=re.M)
    text = re.sub(r'^sha256 = ".*"', f'sha256 = "{sha256}"', text, flags=re.M)
    text = text.replace("./../embedded/", "./")
    for name in ("open_clip_config.json", "merges.txt.gz"):
        (folder / name).touch()
    path = folder / "set.toml"
    path.write_text(text)
    return str(path)


def weights(path: str) -> dict[str, doctor.Finding]:
    return {one.topic: one for one in doctor.weights(path)}


def test_right_and_unverified_files_are_fine(tmp_path: Path) -> None:
    for name in ("one.bin", "two.bin"):
        (tmp_path / name).write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    found = weights(write_set(tmp_path, digest))
    assert [found[role].state for role in ("quality", "image_text")] == [OK, OK]
    assert "sha256 as it should be" in found["quality"].text
    assert "licence Apache-2.0" in found["quality"].text
    assert (
        f"not verified (sha256 {digest})"
        in weights(write_set(tmp_path, "unverified"))["quality"].text
    )


def test_missing_and_wrong_files_say_what_to_do(tmp_path: Path, capsys) -> None:
    (tmp_path / "two.bin").write_bytes(b"another")
    path = write_set(tmp_path, hashlib.sha256(CONTENT).hexdigest())
    found = weights(path)
    assert found["quality"].state == WRONG
    assert str(tmp_path / "one.bin") in found["quality"].remedy
    assert found["image_text"].state == WRONG
    assert "another file" in found["image_text"].text
    assert cli.main(["doctor", "--models", path]) == 1
    assert "2 things are wrong" in capsys.readouterr().out


def test_an_unknown_set_is_wrong(capsys) -> None:
    assert cli.main(["doctor", "--models", "nothing"]) == 1
    assert "no model set 'nothing'" in capsys.readouterr().out


def test_files_with_a_url_are_fetched_by_a_job(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INSTRUCT_IMAGEN_CACHE", str(tmp_path))
    found = weights("paper")
    assert found["image_text"].state == WRONG
    assert "https://" in found["image_text"].remedy
    assert str(tmp_path) in found["image_text"].remedy


def test_roles_that_a_set_lacks_are_noted(tmp_path: Path) -> None:
    for name in ("one.bin", "two.bin"):
        (tmp_path / name).write_bytes(CONTENT)
    path = write_set(tmp_path, "unverified")
    found = weights(path)["roles"]
    assert found.state == NOTE
    assert "depth, edge, mask" in found.text


def test_paths_in_a_config_that_lead_nowhere_are_wrong(tmp_path: Path) -> None:
    path = write_set(tmp_path, "unverified")
    (tmp_path / "merges.txt.gz").unlink()
    lines = [one for one in doctor.weights(path) if one.topic == "image_text"]
    assert any(one.state == WRONG and "merges.txt.gz" in one.text for one in lines)


def test_pinned_versions_that_differ_are_noted(tmp_path: Path) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text(f"# tested\nnumpy==0.1\npillow=={metadata.version('pillow')}\nnot-here==1.0\n")
    *_, versions = doctor.packages(pins)
    assert versions.state == NOTE
    assert versions.text == f"other than tested: numpy {metadata.version('numpy')} (tested: 0.1)"


def test_packages_that_are_missing_or_too_old_are_wrong(monkeypatch, tmp_path: Path) -> None:
    needs = ["numpy>=99", "no-such-package", "pillow", 'skipped; extra == "dev"']
    monkeypatch.setattr(doctor.metadata, "requires", lambda _: needs)
    found = {one.topic: one for one in doctor.packages(tmp_path / "none")}
    assert set(found) == {"numpy", "no-such-package"}
    assert "needs >=99" in found["numpy"].text
    assert found["no-such-package"].remedy == "python -m pip install 'no-such-package'"


def test_threads_that_compete_are_noted(monkeypatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    assert doctor.threads().state == OK
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert doctor.threads().state == NOTE


def test_remedies_stand_below_what_they_mend() -> None:
    text = doctor.show([doctor.Finding("disk", WRONG, "none free", "free some")])
    assert re.search(r"wrong +disk +none free\n +-> free some\n\n1 thing is wrong", text)


def test_wrong_use_is_one_line(capsys) -> None:
    assert cli.main(["doctor", "--model", "paper"]) == 2
    assert "did you mean --models" in capsys.readouterr().err
