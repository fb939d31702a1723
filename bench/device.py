"""Whether there is a GPU to run on, and what is missing if not."""

from __future__ import annotations

import importlib.util
from typing import Any

from subspan.exceptions import DeviceUnavailable

DEVICES = ("cpu", "cuda")


def require(device: str) -> None:
    """Raise :class:`DeviceUnavailable`, with the remedy, unless subspan and PyTorch run on the device."""
    if device == "cpu":
        return
    if importlib.util.find_spec("torch") is None:
        raise DeviceUnavailable(
            "--device cuda needs PyTorch, which holds the arrays: pip install 'subspan[torch]'"
        )
    import subspan
    import torch

    if not torch.cuda.is_available():
        raise DeviceUnavailable(
            f"--device cuda: PyTorch {torch.__version__} finds no CUDA GPU; run on a machine with one and "
            "a CUDA build of PyTorch, or leave --device out"
        )
    try:
        subspan.interpolative(torch.eye(4, device=device), 2, rng=0)
    except DeviceUnavailable:
        raise DeviceUnavailable(
            "--device cuda: this installation of subspan computes on the CPU only; install a build with "
            "CUDA (pip install 'subspan[cuda13]', where there is one), or leave --device out"
        ) from None


def name(device: str) -> str:
    """Name of the GPU; empty for the host."""
    if device == "cpu":
        return ""
    import torch

    return str(torch.cuda.get_device_name())


def tensor(A: Any, device: str) -> Any:
    """A numpy array as a tensor on the device."""
    import torch

    return torch.from_numpy(A).to(device)


def wait(device: str) -> None:
    """Return when the device has finished what it was given: calls come back earlier."""
    if device != "cpu":
        import torch

        torch.cuda.synchronize()
