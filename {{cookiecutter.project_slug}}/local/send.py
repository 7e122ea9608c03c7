"""Send messages to the stack that `python -m local` runs: the sample, and one that is cut short."""

import sys
import uuid

from local.aws import Aws
from local.template import ENDPOINT, ROOT, TEMPLATE, sample_message


def main() -> None:
    if not ENDPOINT.exists():
        sys.exit("error: nothing runs here to send messages to; start it with `make local`")
    aws = Aws(ENDPOINT.read_text("utf-8"))
    for mapping in aws.mappings(TEMPLATE.read_text("utf-8")):
        sample = (ROOT / sample_message(mapping.function.handler)).read_text("utf-8").strip()
        for body in (sample, sample[:-1]):
            fifo = {"MessageGroupId": "sample", "MessageDeduplicationId": str(uuid.uuid4())}
            aws.client("sqs").send_message(
                QueueUrl=mapping.queue.url,
                MessageBody=body,
                **(fifo if mapping.queue.is_fifo else {}),
            )
            print(f"{mapping.queue.name}  {body}")


if __name__ == "__main__":
    main()
