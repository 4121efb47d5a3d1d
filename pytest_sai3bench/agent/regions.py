"""Where AWS serves a bucket, when it is in another region than thought.

Host names: https://docs.aws.amazon.com/general/latest/gr/s3.html. AWS names the region of a bucket with each
redirection, so that the preflight can go there; the load is never redirected.
"""

from __future__ import annotations

import re

_AWS_HOST = re.compile(
    r"s3(?P<stack>\.dualstack)?([.-][a-z]{2}(-[a-z]+)+-\d+)?(?P<domain>\.amazonaws\.com(?:\.cn)?)",
    re.IGNORECASE,
)


def regional_host(host: str, region: str) -> str:
    """Return the host of S3 at AWS for a region, empty when ``host`` is none of its public ones."""
    found = _AWS_HOST.fullmatch(host)
    return f"s3{found['stack'] or ''}.{region}{found['domain']}" if found else ""
