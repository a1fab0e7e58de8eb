"""How fast a picture turns into noise: one tensor, alpha_bar, and five ways to choose it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Schedule:
    """The products alpha_bar_t of DDPM (arXiv 2006.11239, eq. 4), with the clean picture at t = 0.  (2.7)

    alpha_bar: (T + 1,) float64, alpha_bar[0] = 1 and strictly falling towards 0. It stays on the CPU in float64,
    because 1 - alpha_bar loses its digits in float32 where alpha_bar is near 1.
    Raises ValueError when alpha_bar is not of that form.
    """

    alpha_bar: Tensor

    def __post_init__(self):
        a = self.alpha_bar
        if a.is_floating_point():
            object.__setattr__(self, "alpha_bar", a := a.double().cpu())
        if a.ndim != 1 or len(a) < 2 or not torch.is_floating_point(a):
            raise ValueError(f"alpha_bar should be a float tensor (T + 1,), got {a.dtype} {tuple(a.shape)}")
        if a[0] != 1 or not (a.diff() < 0).all() or a[-1] <= 0:
            raise ValueError("alpha_bar should start at 1 (t = 0 is clean), fall at every step and stay above 0")

    @classmethod
    def from_betas(cls, betas: Tensor) -> "Schedule":
        """alpha_bar_t = product over i <= t of (1 - beta_i).  betas: (T,), each in (0, 1)"""
        betas = torch.as_tensor(betas, dtype=torch.float64, device="cpu")
        if betas.ndim != 1 or len(betas) == 0 or not ((betas > 0) & (betas < 1)).all():
            raise ValueError("betas should be a tensor (T,) of variances strictly between 0 and 1")
        return cls(torch.cat([torch.ones(1, dtype=torch.float64), (1 - betas).cumprod(0)]))

    @property
    def T(self) -> int:
        """The number of steps."""
        return len(self.alpha_bar) - 1

    @property
    def betas(self) -> Tensor:
        """beta_t = 1 - alpha_bar_t / alpha_bar_{t-1}: (T,), betas[0] belongs to t = 1."""
        return 1 - self.alpha_bar[1:] / self.alpha_bar[:-1]

    def at(self, t: int | Tensor, like: Tensor) -> Tensor:
        """alpha_bar_t, shaped to be multiplied with `like`.  t: an int or (B,) -> (B, 1, ...) or (1, 1, ...) float64

        Raises ValueError when t is no integer in 0..T or has another length than `like`.
        """
        t = torch.as_tensor(t).cpu()
        if t.dtype not in (torch.int64, torch.int32):
            raise ValueError(f"t should count steps in whole numbers, got {t.dtype}; t / T is not a step")
        if t.min() < 0 or t.max() > self.T:
            raise ValueError(f"t should lie in 0..{self.T} (0 is clean), got {int(t.min())}..{int(t.max())}")
        if t.ndim > 1 or (t.ndim == 1 and len(t) not in (1, len(like))):
            raise ValueError(f"t should be one int or ({len(like)},), one for each picture, got {tuple(t.shape)}")
        return self.alpha_bar[t].view(-1, *[1] * (like.ndim - 1))

    def scales(self, t: int | Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """(signal, noise) = (sqrt(alpha_bar_t), sqrt(1 - alpha_bar_t)), in the type and on the device of `like`."""
        a = self.at(t, like)
        return a.sqrt().to(like), (1 - a).sqrt().to(like)

    def snr(self, t: int | Tensor) -> Tensor:
        """Signal-to-noise ratio alpha_bar_t / (1 - alpha_bar_t).  (B,) -> (B,) float64  (2.14)"""
        t = torch.as_tensor(t)
        a = self.at(t, like=t).view_as(t)
        return a / (1 - a)


def linear(T: int = 1000, start: float = 1e-4, end: float = 0.02) -> Schedule:
    """beta rises evenly from start to end (DDPM, section 4)."""
    return Schedule.from_betas(_betas(start, end, T))


def quadratic(T: int = 1000, start: float = 1e-4, end: float = 0.02) -> Schedule:
    """sqrt(beta) rises evenly; latent diffusion's "scaled linear"."""
    return Schedule.from_betas(_betas(start**0.5, end**0.5, T) ** 2)


def constant(T: int = 1000, beta: float = 0.01) -> Schedule:
    """The same beta at every step: alpha_bar falls as (1 - beta)^t."""
    return Schedule.from_betas(_betas(beta, beta, T))


def sigmoid(T: int = 1000, start: float = 1e-4, end: float = 0.02) -> Schedule:
    """beta rises along a sigmoid over [-6, 6] (GeoDiff, arXiv 2203.02923)."""
    s = torch.linspace(-6, 6, _steps(T), dtype=torch.float64).sigmoid()
    return Schedule.from_betas(s * (end - start) + start)


def cosine(T: int = 1000, s: float = 0.008, max_beta: float = 0.999) -> Schedule:
    """alpha_bar_t = f(t) / f(0), f(t) = cos^2((t/T + s) / (1 + s) * pi/2), beta clipped.  (7.4)

    arXiv 2102.09672, eq. 17; beta in closed form, and why the clip: (7.5).
    """
    f = torch.cos((torch.arange(_steps(T) + 1, dtype=torch.float64) / T + s) / (1 + s) * math.pi / 2) ** 2
    return Schedule.from_betas((1 - f[1:] / f[:-1]).clamp(max=max_beta))


ALL: dict[str, Callable[..., Schedule]] = {
    f.__name__: f for f in (linear, quadratic, cosine, sigmoid, constant)
}  # for figures and tests that go over all of them


def _steps(T: int) -> int:
    if not isinstance(T, int) or T < 1:
        raise ValueError(f"T should be a whole number of steps, at least 1, got {T!r}")
    return T


def _betas(start: float, end: float, T: int) -> Tensor:
    return torch.linspace(start, end, _steps(T), dtype=torch.float64)
