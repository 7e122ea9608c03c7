"""The process of the embedded AWS, which starts while this process imports what it needs itself."""

import subprocess
import sys
import threading
from pathlib import Path

from sqskit.environment import environment
from sqskit.errors import UserError

SERVER = Path(__file__).with_name("server.py")


class ServerProcess:
    """A server on loopback."""

    def __init__(self, port: int = 0) -> None:
        """Start the server at a port; 0 is any free one."""
        # It ends when its standard input does, so that it cannot outlive this process.
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(SERVER), str(port)],
            env=environment(PYTHONPATH=""),  # it could name another moto
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C must not reach it
        )
        self.has_started = False
        self.last_words = ""
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def address(self) -> str:
        """Wait until the server has started, and return its address. Raises UserError."""
        assert self.process.stdout
        try:
            address = self.process.stdout.readline().strip()
        except KeyboardInterrupt:
            self.process.kill()  # otherwise it would complain that nobody reads its address
            raise
        if not address:
            self.listener.join()
            raise UserError(f"the embedded AWS cannot start: {self.last_words.strip()}")
        self.has_started = True
        return address

    def kill(self) -> None:
        with self.process:  # waits for it
            self.process.kill()

    def _listen(self) -> None:
        """Print what the server says about its errors, above what a screen keeps below."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.last_words = line
            if self.has_started:
                sys.stderr.write(line)
