"""No test can reach AWS: what uses boto3 fails with `tests-cannot-reach-aws`.

This is the first module that pytest imports, so it also holds for clients made at import.
"""

from sqskit.environment import close_aws

close_aws()
