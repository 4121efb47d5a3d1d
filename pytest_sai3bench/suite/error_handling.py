"""What happens when operations fail."""

from __future__ import annotations

from pydantic import Field

from pytest_sai3bench.suite.scalars import Count, Duration, NonNegative, PositiveCount, PositiveDuration
from pytest_sai3bench.suite.section import Section


class ErrorHandling(Section):
    """When to slow down, when to retry, and when to give up; rates are errors per second."""

    max_total_errors: PositiveCount = Field(
        default=100,
        description=(
            "the number of errors that ends the workload. "
            "For each worker process and phase, the warm-up included. Reaching it fails the run. With "
            "`endpoint_failure: continue` or `eject` only errors in a row count, while no endpoint works."
        ),
    )
    error_rate_threshold: NonNegative = Field(
        default=5.0,
        description="errors per second from which an endpoint is left alone. Each worker process and endpoint for itself; sai3-bench adds up all endpoints.",
    )
    backoff_duration: Duration = Field(
        default=5.0,
        description="the length of a pause, such as 5s. No operation is sent to the endpoint during it; the others go on. With `retry_on_error` it is as long as the server's `Retry-After`, if that is longer.",
    )
    error_rate_window: PositiveDuration = Field(
        default=1.0, description="the time over which the rate is taken. A bare number is seconds."
    )
    retry_on_error: bool = Field(
        default=False,
        description=(
            "true or false. "
            "Whether a failed operation is tried again. Every failed attempt is an error, also when a later one succeeds."
        ),
    )
    max_retries: Count = Field(
        default=3, description="retries of one operation. Only with `retry_on_error`, as all keys below."
    )
    initial_retry_delay_ms: Count = Field(default=100, description="milliseconds before the first retry")
    max_retry_delay_ms: Count = Field(
        default=5000,
        description="the longest delay in milliseconds. A server that asks for more with `Retry-After` gets up to 60 s.",
    )
    retry_backoff_multiplier: NonNegative = Field(
        default=2.0, description="the factor from one delay to the next"
    )
    retry_jitter_factor: NonNegative = Field(
        default=0.25,
        description="the random part of a delay, such as 0.25. A delay is multiplied by 1 ± up to this, then cut to `max_retry_delay_ms`.",
    )
