"""Object sizes: drawn afresh for every PUT, or by the name of the object for those of prepare."""

from __future__ import annotations

import math
from hashlib import blake2b
from random import Random
from typing import Any, Callable


def make_sampler(size: dict[str, Any], rng: Random) -> Callable[[], int]:
    """Return a function that draws one size in bytes; ``size`` is a plan's size (kind, low, high, mean, std_dev)."""
    low, high = int(size["low"]), int(size["high"])
    if size["kind"] == "fixed" or low == high:
        return lambda: low
    if size["kind"] == "uniform":
        span = high - low + 1
        return lambda: low + int(rng.random() * span)
    return _lognormal(float(size["mean"]), float(size["std_dev"]), low, high, rng)


def mean_size(size: dict[str, Any]) -> float:
    """Return the mean of a plan's size in bytes, of a log-normal one before it is cut at both ends."""
    return float(size["mean"]) if size["kind"] == "lognormal" else (int(size["low"]) + int(size["high"])) / 2


def size_by_name(size: dict[str, Any], seed: int) -> Callable[[str], int]:
    """Return a function that gives each name its own size: the same in every run and process with this ``seed``."""
    low = int(size["low"])
    if size["kind"] == "fixed" or low == int(size["high"]):
        return lambda _name: low

    def draw(name: str) -> int:
        number = int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "little")
        return make_sampler(size, Random(number))()  # noqa: S311 - repeatable on purpose

    return draw


def _lognormal(mean: float, std_dev: float, low: int, high: int, rng: Random) -> Callable[[], int]:
    # Mean and deviation are those of the sizes, not of their logarithms:
    # sigma² = ln(1 + s²/m²), mu = ln(m) - sigma²/2 (moments of the log-normal distribution).
    variance = math.log1p((std_dev / mean) ** 2)
    sigma = math.sqrt(variance)
    mu = math.log(mean) - variance / 2

    def draw() -> int:
        for _ in range(100):
            size = round(rng.lognormvariate(mu, sigma))
            if low <= size <= high:
                return size
        return min(max(size, low), high)

    return draw
