"""S3 credentials from where AWS tools find them, through boto3."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import CredentialsError
from pytest_sai3bench.plan.confidential import Confidential

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_REGION = "us-east-1"


def find_credentials() -> Mapping[str, str | None]:
    """Return access key, secret key, region and token from environment, profile or role; raises `CredentialsError`."""
    # Imported here, since it costs a quarter of a second that no other run needs.
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        session = boto3.Session()
        found = session.get_credentials()
        frozen = found.get_frozen_credentials() if found else None
    except (BotoCoreError, ClientError) as error:
        raise CredentialsError(
            f"the S3 credentials cannot be read: {error}",
            remedy="Correct AWS_PROFILE, or the files under ~/.aws.",
        ) from error
    if frozen is None or not frozen.access_key or not frozen.secret_key:
        raise CredentialsError(
            "there are no S3 credentials",
            remedy="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.",
        )
    return Confidential(
        access_key=frozen.access_key,
        secret_key=frozen.secret_key,
        # boto3 does not read AWS_REGION, though all other SDKs of AWS do.
        region=os.environ.get("AWS_REGION") or session.region_name or _DEFAULT_REGION,
        token=frozen.token,
    )
