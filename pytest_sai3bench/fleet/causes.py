"""What agents report, in words: causes of failed checks and stages, each with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_sai3bench.agent.messages import Message
    from pytest_sai3bench.plan.model import Endpoint

_REMEDIES = {
    "refused": "Nothing listens there: start the server, or correct host and port.",
    "unreachable": "There is no route to it from the agent's host: check address and network.",
    "unresolved": "The name is unknown on the agent's host: correct it, or use an IP address.",
    "timeout": "It accepts no request in time: check firewall, load and port.",
    "no-direct": "Use file://, or a folder on a disk or network file system that takes O_DIRECT.",
    "not-http": "Something else than an S3 server listens there: correct the port.",
    "wrong-host": "The server is known by other names: write one that is in its certificate.",
    "unknown-ca": "Nobody who is trusted signed its certificate: name the authority's certificate in tls.ca_file.",
    "expired-certificate": "Renew the server's certificate, or set the clocks of both hosts.",
    "bad-certificate": "Give the server a certificate that can be verified.",
    "client-certificate": "The server asks who the client is: give it a certificate that it accepts in tls.cert_file.",
    "not-tls": "Write s3:// for a server that speaks plain HTTP, or correct the port.",
    "needs-tls": "Write s3+https:// for a server that speaks TLS, or correct the port.",
    "tls-failed": "Server and client found no common way: check the versions and ciphers the server offers.",
    "bad-secret": "The secret key does not belong to the access key: check AWS_SECRET_ACCESS_KEY or the profile.",
    "unknown-key": "The server does not know the access key: check AWS_ACCESS_KEY_ID or the profile.",
    "denied": "The account may not do this: grant it list, read, write and delete on the bucket, or check permissions.",
    "no-bucket": "Create the bucket, or correct its name in the URI.",
    "redirected": "Write that host in the URI: only between regions of AWS the preflight follows.",
    "wrong-region": "Set AWS_REGION to that region.",
    "no-folder": "Create the folder or mount the file system, or correct the path.",
    "not-writable": "The suite writes: make the folder writable for the user that runs the agent.",
    "no-match": "Correct the path, or let prepare make the objects (prepare.ensure_objects).",
    "unverifiable": "Let the path match objects of prepare.ensure_objects only (data/prepared-*), or do not verify.",
    "no-boto3": "Install it for that Python (pip install boto3), or remove engine: boto3.",
    "old-python": "Agents need Python 3.9 or newer.",
    "internal": "This is a bug in pytest-sai3bench: please report it with this text.",
}


def remedy_for(kind: str) -> str:
    """Return what to do about a failure of this kind, empty when the detail says all there is to say."""
    return _REMEDIES.get(kind, "")


def describe_check(agent: str, endpoint: Endpoint, kind: str, detail: str) -> str:
    """Return the lines about one endpoint that an agent cannot use."""
    lines = [f"{endpoint.origin.where}: {agent} cannot use {endpoint.uri}: {detail}"]
    if remedy := remedy_for(kind):
        lines.append(f"  {remedy}")
    return "\n".join(lines)


def describe_failure(agent: str, failure: Message) -> str:
    """Return the lines about an agent that answered with a failure."""
    remedy = remedy_for(failure["kind"])
    return f"{agent}: {failure['detail'].rstrip()}" + (f"\n  {remedy}" if remedy else "")
