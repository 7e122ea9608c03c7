"""How long a message that failed waits before it is retried."""

import msgspec

# The longest wait in seconds, if the owner gives none. A FIFO group waits for its failed message.
LONGEST = 3600
LONGEST_IN_FIFO = 300


class Backoff(msgspec.Struct, frozen=True):
    """The waits of a message in seconds: `first`, then always `factor` times as long.

    longest: no wait is longer; None is one hour, or five minutes in a FIFO queue.
    A fifth of each wait is random, so that messages that failed together do not return together.
    """

    first: float = 30
    factor: float = 4
    longest: float | None = None

    def most_seconds(self, receive_count: int, *, fifo: bool) -> float:
        """Return the longest wait after this receive of a message."""
        limit = (LONGEST_IN_FIFO if fifo else LONGEST) if self.longest is None else self.longest
        return float(min(limit, self.first * self.factor ** min(receive_count - 1, 50)))

    def seconds(self, receive_count: int, *, fifo: bool) -> float:
        """Return a wait after this receive of a message."""
        from random import random  # not needed until something fails

        return self.most_seconds(receive_count, fifo=fifo) * (0.8 + 0.2 * random())
