"""The environment of code that may not reach a real AWS account."""

import os

REGION = "us-east-1"

# The AWS CLI and boto3 need these for the embedded AWS, which does not check the keys.
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
}

# Nothing listens on port 1, and the path explains the error message that boto3 shows.
CLOSED_DOOR = "http://127.0.0.1:1/tests-cannot-reach-aws"


def environment(**more: str) -> dict[str, str]:
    """Return the variables of a process that must not know of any other AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | SETTINGS | more


def close_aws() -> None:
    """Keep this process away from AWS: any call of boto3 fails at once with a clear message.

    The user's credentials, profile, region and endpoint are out of reach. A test that uses moto's
    `mock_aws` must first remove AWS_ENDPOINT_URL.
    """
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"]))
    closed = environment(
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_ENDPOINT_URL=CLOSED_DOOR,
        AWS_MAX_ATTEMPTS="1",
        NO_PROXY=direct,
        no_proxy=direct,
    )
    os.environ.clear()
    os.environ.update(closed)
