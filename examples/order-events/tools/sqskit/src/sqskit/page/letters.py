"""The dead letters on the page: found, sent back and dropped."""

import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from botocore.exceptions import BotoCoreError, ClientError

from sqskit.aws import Aws, Depth
from sqskit.dead_letter_queue import DeadLetterQueue
from sqskit.dead_letters import searched, send_all_back
from sqskit.errors import UserError
from sqskit.mapping import EventSourceMapping, Queue
from sqskit.page.history import History

# A queue is read if it has had another number of dead letters than the page for this many seconds,
# but not if it has very many of them: reading hides each one from other readers for a while.
SECONDS_APART = 3
MOST_READ = 200


class DeadLetters:
    """The dead-letter queues of a stack, and what the page does with them."""

    def __init__(self, aws: Aws, mappings: Iterable[EventSourceMapping], history: History) -> None:
        self.aws = aws
        self.history = history
        # A queue may have the dead letters of several others; then the first one is shown.
        self.sources: dict[str, Queue] = {}
        for mapping in mappings:
            if url := mapping.queue.dead_letter_url:
                self.sources.setdefault(url, mapping.queue)
        self.acting = threading.Lock()  # a letter that is being read cannot be found
        self.apart: dict[str, tuple[tuple[int, int], float]] = {}  # the counts, and since when

    def compare(self, depths: Iterable[Depth]) -> None:
        """Read each queue whose number of dead letters is not that on the page.

        SQS moves a message by itself if it was received too often, and other commands send dead
        letters back.
        """
        for depth in depths:
            url = depth.queue.dead_letter_url
            if not url or depth.dead is None or self.sources[url] != depth.queue:
                continue
            counts = depth.dead, len(self.history.known_dead(url))
            if counts[0] == counts[1] or not self.history.watchers:
                self.apart.pop(url, None)
                continue
            before, since = self.apart.get(url, (None, 0.0))
            if before != counts:
                self.apart[url] = counts, time.monotonic()
            elif time.monotonic() >= since + SECONDS_APART and depth.dead <= MOST_READ:
                self.apart[url] = counts, float("inf")  # not again until a count changes
                threading.Thread(target=self.read, args=[url], daemon=True).start()

    def read(self, url: str) -> None:
        """Show the dead letters that are in a queue, and no others."""
        with (
            suppress(BotoCoreError, ClientError),  # the run has ended
            self.acting,
            DeadLetterQueue(self.aws.client("sqs"), url) as queue,
        ):
            known = self.history.known_dead(url)
            length = queue.length()
            letters = list(queue.letters())
            if len(letters) >= length:  # otherwise another reader has the rest
                here = {each.id for each in letters}
                gone = {letter: known[letter] for letter in known.keys() - here}
                self.history.removed(url, gone, "gone")
            self.history.found(url, letters, self.sources[url])

    def send_back(self, id_: str) -> None:
        """Send the dead letter of a message back to its queue. Raises UserError."""
        with self.acting, searched(self._queues(id_), self._letter_id(id_)) as (queue, letter):
            queue.send_back(letter)
            self.history.removed(queue.url, {letter.id: id_}, "sent back")

    def drop(self, id_: str) -> None:
        """Delete the dead letter of a message for good. Raises UserError."""
        with self.acting, searched(self._queues(id_), self._letter_id(id_)) as (queue, letter):
            queue.delete(letter)
            self.history.removed(queue.url, {letter.id: id_}, "dropped")

    def send_all_back(self) -> None:
        """Send all dead letters back to their queues. Raises UserError."""
        with self.acting:
            for url in self.sources:
                known = self.history.known_dead(url)
                send_all_back(DeadLetterQueue(self.aws.client("sqs"), url))
                self.history.removed(url, known, "sent back")

    def _letter_id(self, id_: str) -> str:
        message = self.history.message(id_)
        return message["from"] or id_ if message else id_

    def _queues(self, id_: str) -> list[DeadLetterQueue]:
        """Return the queue with the dead letter of a message. Raises UserError."""
        for url in self.sources:
            if id_ in self.history.known_dead(url).values():
                return [DeadLetterQueue(self.aws.client("sqs"), url)]
        raise UserError(f"{id_} is not a dead letter")
