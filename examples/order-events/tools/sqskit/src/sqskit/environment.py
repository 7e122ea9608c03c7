"""The environment of code that may not reach a real AWS account."""

import os

REGION = "us-east-1"

# The AWS CLI and boto3 need these for the embedded AWS, which does not check the keys.
KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}

# The user's files may name a real account, or be broken.
SETTINGS = {
    **KEYS,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}

# Nothing listens on port 1, and the path explains the error message that boto3 shows.
CLOSED_DOOR = "http://127.0.0.1:1/tests-cannot-reach-aws"


def environment(**more: str) -> dict[str, str]:
    """Return the variables of a process that must not know of any other AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    hosts = hosts_without_proxy()
    return kept | SETTINGS | {"NO_PROXY": hosts, "no_proxy": hosts} | more


def hosts_without_proxy() -> str:
    """Return the user's list of hosts that no proxy is used for, and this machine."""
    texts = (os.environ.get(name, "") for name in ("NO_PROXY", "no_proxy"))
    hosts = [host.strip() for text in texts for host in text.split(",")]
    # An asterisk only means every host if it is the whole list.
    return "*" if "*" in hosts else ",".join(dict.fromkeys(filter(None, [*hosts, "127.0.0.1"])))


def forget_aws(**more: str) -> None:
    """Hide the user's credentials, profile, region and endpoint from this process."""
    variables = environment(**more)
    os.environ.clear()
    os.environ.update(variables)


def close_aws() -> None:
    """Keep this process away from AWS: any call of boto3 fails at once with a clear message.

    The user's credentials, profile, region and endpoint are out of reach. A test that uses moto's
    `mock_aws` must first remove AWS_ENDPOINT_URL.
    """
    forget_aws(AWS_ENDPOINT_URL=CLOSED_DOOR, AWS_MAX_ATTEMPTS="1")
