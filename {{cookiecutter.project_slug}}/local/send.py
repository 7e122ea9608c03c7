"""Send messages to the stack that `python -m local` runs: the sample, and one that is cut short."""

import uuid

from botocore.exceptions import EndpointConnectionError

from local.aws import Aws
from local.screen import short
from local.template import ENDPOINT, ROOT, TEMPLATE, sample_message


def main() -> None:
    try:
        send(Aws(ENDPOINT.read_text("utf-8")))
    except (OSError, EndpointConnectionError) as error:
        nothing = "error: nothing runs here to send messages to; start it with `make local`"
        raise SystemExit(nothing) from error


def send(aws: Aws) -> None:
    for mapping in aws.mappings(TEMPLATE.read_text("utf-8")):
        sample = (ROOT / sample_message(mapping.function.handler)).read_text("utf-8").strip()
        for what, body in (("the sample", sample), ("cut short", sample[:-1])):
            fifo = {"MessageGroupId": "sample", "MessageDeduplicationId": str(uuid.uuid4())}
            aws.client("sqs").send_message(
                QueueUrl=mapping.queue.url,
                MessageBody=body,
                **(fifo if mapping.queue.is_fifo else {}),
            )
            print(f"{mapping.queue.name}  {what}: {short(body)}")


if __name__ == "__main__":
    main()
