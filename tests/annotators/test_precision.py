"""Which devices are known here."""

import pytest

from instruct_imagen_data.annotators import precision
from instruct_imagen_data.errors import UsageError


@pytest.mark.parametrize(
    ("device", "message"), [("cuda", "no GPU is seen"), ("tpu", "known are cpu")]
)
def test_devices(device: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    precision.check_device("cpu")
    with pytest.raises(UsageError, match=f"--device {device}: {message}"):
        precision.check_device(device)
