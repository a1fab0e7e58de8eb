"""What the tests of equations share: numbers in float64, seeded draws, and equality to a tolerance."""

import torch

F64 = torch.float64


def near(a, b, tolerance=1e-9):
    """Equal numbers, in float64."""
    a, b = torch.as_tensor(a, dtype=F64), torch.as_tensor(b, dtype=F64)
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def seeded(seed=0):
    """A random source."""
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    """Standard normal numbers in float64."""
    return torch.randn(*shape, dtype=F64, generator=seeded(seed))
