"""What the commands about dead letters do, on AWS or on the local stack."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from rich.console import Console

from sqskit.aws import running_stack
from sqskit.dead_letter_queue import DeadLetter, DeadLetterQueue
from sqskit.errors import UserError
from sqskit.on_aws import answering, deployed
from sqskit.screen import in_words, one_line, plural

# How often to ask AWS how many messages it has moved.
SECONDS_TO_ASK = 2


def run(command: str, template: Path, env: str | None, name: str | None, id_: str | None) -> None:
    """Run a command on a dead-letter queue of a stack on AWS, or on those of the local stack.

    env: the environment on AWS, if it is there.
    name: of the message, with which the names of the outputs begin.
    id_: of one dead letter, or how it begins. Raises UserError.
    """
    if command == "drop" and not id_:
        here = "" if env else "local-"
        raise UserError(
            f"name the dead letter to delete, as in make {here}drop ID=2cc1c1f5; "
            f"make {here}dead-letters lists them"
        )
    with answering():
        queues = on_aws(template, env, f"{name}DLQUrl") if env else on_local_stack(template)
        if command == "dead-letters":
            show(queues)
        elif command == "drop":
            drop(queues, id_ or "")
        elif id_:
            send_back(queues, id_)
        else:
            for queue in queues:
                sent = move(queue) if env else send_all_back(queue)
                print(f"Sent back {plural(sent, 'dead letter')} from {queue.name}")


def on_aws(template: Path, env: str, output: str) -> list[DeadLetterQueue]:
    """Return the queue that is an output of a stack on AWS. Raises UserError."""
    stack = deployed(template, env)
    return [DeadLetterQueue(stack.client("sqs"), stack.output(output))]


def on_local_stack(template: Path) -> list[DeadLetterQueue]:
    """Return the dead-letter queues of the local stack. Raises UserError."""
    aws, mappings = running_stack(template)
    urls = dict.fromkeys(mapping.queue.dead_letter_url for mapping in mappings)
    found = [DeadLetterQueue(aws.client("sqs"), url) for url in urls if url]
    if not found:
        raise UserError("the local stack has no dead-letter queue")
    return found


def show(queues: list[DeadLetterQueue]) -> None:
    """Print all dead letters, the oldest first."""
    console = Console(highlight=False, emoji=False)
    for queue in queues:
        with queue, console.status(f"reading {queue.name}"):
            length = queue.length()
            letters = sorted(queue.letters(), key=lambda letter: letter.sent_at)
        is_long = console.is_terminal and 3 * len(letters) > console.height
        with console.pager() if is_long else nullcontext():
            for letter in letters:
                show_letter(console, letter)
        print(f"{plural(len(letters), 'dead letter')} in {queue.name}")
        if length > len(letters):
            print(f"{length - len(letters)} more cannot be shown now: {why_not(queue)}")


def why_not(queue: DeadLetterQueue) -> str:
    """Say why some dead letters of a queue cannot be read now."""
    reason = "another reader has them"
    return f"{reason}, or they follow others in their message groups" if queue.is_fifo else reason


def send_back(queues: list[DeadLetterQueue], id_: str) -> None:
    """Send the dead letter with this id back to its queue. Raises UserError."""
    with searched(queues, id_) as (queue, letter):
        queue.send_back(letter)
        print(f"Sent back {letter.id} from {queue.name}")


def drop(queues: list[DeadLetterQueue], id_: str) -> None:
    """Delete the dead letter with this id, after asking. Raises UserError."""
    with searched(queues, id_) as (_, letter):
        show_letter(Console(highlight=False, emoji=False), letter)
    try:
        answer = input("Delete it for good? [y/N] ")
    except EOFError:
        raise UserError("nobody has confirmed; nothing is deleted") from None
    if answer.strip().lower() not in {"y", "yes"}:
        raise UserError("nothing is deleted")
    # It is searched again, because the answer may have taken longer than it stays hidden.
    with searched(queues, letter.own_id) as (queue, letter):
        queue.delete(letter)
        print(f"Deleted {letter.id} from {queue.name}")


@contextmanager
def searched(
    queues: list[DeadLetterQueue], id_: str
) -> Iterator[tuple[DeadLetterQueue, DeadLetter]]:
    """Provide the one dead letter whose id begins like this, and its queue. Raises UserError."""
    with ExitStack() as stack:
        matching, unread = list[tuple[DeadLetterQueue, DeadLetter]](), list[str]()
        for queue in queues:
            length, letters = queue.length(), list(stack.enter_context(queue).letters())
            matching += [(queue, letter) for letter in letters if letter.is_called(id_)]
            if length > len(letters):
                number = length - len(letters)
                unread.append(f"{number} more cannot be read now: {why_not(queue)}")
        if len(matching) != 1:
            ids = ", ".join(letter.own_id for _, letter in matching)
            names = ", ".join(queue.name for queue in queues)
            none = f"no dead letter with the id {id_} can be read from {names}"
            raise UserError(
                f"several dead letters have an id that begins with {id_}: {ids}"
                if matching
                else "; ".join([none, *unread])
            )
        yield matching[0]


def send_all_back(queue: DeadLetterQueue) -> int:
    """Send back what is in the queue now, and return how many. Raises UserError."""
    begin, sent = time.time(), 0
    with queue:
        for letter in queue.letters():
            if letter.sent_at < begin:  # not those that have failed again meanwhile
                queue.send_back(letter)
                sent += 1
    return sent


def move(queue: DeadLetterQueue) -> int:
    """Have AWS send all dead letters back, and return how many. Raises UserError."""
    length = queue.length()
    if not length:
        return 0
    queue.start_move()
    print(f"AWS sends back about {plural(length, 'dead letter')}, even if you press Ctrl-C now.")
    while (task := queue.last_move())["Status"] == "RUNNING":
        time.sleep(SECONDS_TO_ASK)
    if task["Status"] != "COMPLETED":
        reason = task.get("FailureReason", "no reason given")
        raise UserError(f"AWS has stopped sending them back: {task['Status']}, {reason}")
    return int(task["ApproximateNumberOfMessagesMoved"])


def show_letter(console: Console, letter: DeadLetter) -> None:
    """Print a dead letter in three lines, which a terminal cuts at its width."""
    age = in_words(max(0, time.time() - letter.sent_at))  # the clocks may differ
    receives = letter.added("receiveCount")
    lines = [
        (f"{letter.id}  {age} old{f', at receive {receives}' if receives else ''}", "bold"),
        (f"    {one_line(letter.reason)}", "red"),
        (f"    {one_line(letter.body)}", ""),
    ]
    for text, style in lines:
        cut = console.is_terminal
        console.print(
            text,
            style=style,
            markup=False,
            no_wrap=True,
            overflow="ellipsis" if cut else "ignore",
            crop=cut,
        )
