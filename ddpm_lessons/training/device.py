"""Where to compute, and in which precision."""

import torch


def device() -> torch.device:
    """The graphics card where there is one: CUDA's, or Apple's (MPS)."""
    for name, there in (("cuda", torch.cuda.is_available), ("mps", torch.backends.mps.is_available)):
        if there():
            return torch.device(name)
    return torch.device("cpu")


def fast_precision(device: torch.device | str) -> torch.dtype | None:
    """The type that the device computes fastest in: torch.bfloat16, torch.float16, or None (stay in float32)."""
    kind = torch.device(device).type
    if kind == "cuda":  # a T4 (7.5) says that it supports bfloat16, but emulates it
        capability = torch.cuda.get_device_capability(device)
        return torch.bfloat16 if capability >= (8, 0) else torch.float16 if capability >= (7, 0) else None
    if kind != "cpu":
        return None
    knows = getattr(torch.cpu, "get_capabilities", dict)  # older versions of PyTorch do not tell
    return torch.bfloat16 if knows().get("avx512_bf16") else None
