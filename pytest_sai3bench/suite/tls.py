"""How the servers of ``s3+https://`` endpoints prove who they are, and the clients to them."""

from __future__ import annotations

from pydantic import Field, model_validator

from pytest_sai3bench.suite.scalars import Text
from pytest_sai3bench.suite.section import ObjectionsError, Section


class Tls(Section):
    """Certificates of the ``s3+https://`` endpoints; files are relative to the suite."""

    ca_file: Text | None = Field(
        default=None,
        description="a file of certificates in PEM form. The authorities that are trusted, instead of the system's.",
    )
    cert_file: Text | None = Field(
        default=None,
        description="a file with the client's certificate in PEM form. For servers that want one; the chain follows it.",
    )
    key_file: Text | None = Field(
        default=None,
        description=(
            "a file with the client's key in PEM form. "
            "Without a password. Left out when `cert_file` holds the key, too."
        ),
    )
    verify: bool = Field(
        default=True,
        description=(
            "true or false. "
            "False takes any certificate for any host; plan and results then say so. Not beside `ca_file`."
        ),
    )

    @model_validator(mode="after")
    def _check_files(self) -> Tls:
        if self.key_file is not None and self.cert_file is None:
            raise ObjectionsError(
                (("key_file",), "a key without its certificate: expected 'cert_file' beside it")
            )
        if self.ca_file is not None and not self.verify:
            raise ObjectionsError(
                (("verify",), "'ca_file' has no effect with 'verify: false': expected one of the two")
            )
        return self
