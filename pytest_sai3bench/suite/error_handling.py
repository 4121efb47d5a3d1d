"""What happens when operations fail."""

from __future__ import annotations

from pydantic import Field

from pytest_sai3bench.suite.scalars import Count, Duration, NonNegative, PositiveCount, PositiveDuration
from pytest_sai3bench.suite.section import Section


class ErrorHandling(Section):
    """When to slow down, when to retry, and when to give up; rates are errors per second."""

    max_total_errors: PositiveCount = Field(
        default=100, description="the number of errors that ends the workload"
    )
    error_rate_threshold: NonNegative = Field(
        default=5.0, description="errors per second from which agents pause"
    )
    backoff_duration: Duration = Field(default=5.0, description="the length of a pause, such as 5s")
    error_rate_window: PositiveDuration = Field(
        default=1.0, description="the time over which the rate is taken"
    )
    retry_on_error: bool = Field(default=False, description="true or false")
    max_retries: Count = Field(default=3, description="retries of one operation")
    initial_retry_delay_ms: Count = Field(default=100, description="milliseconds before the first retry")
    max_retry_delay_ms: Count = Field(default=5000, description="the longest delay in milliseconds")
    retry_backoff_multiplier: NonNegative = Field(
        default=2.0, description="the factor from one delay to the next"
    )
    retry_jitter_factor: NonNegative = Field(
        default=0.25, description="the random part of a delay, such as 0.25"
    )
