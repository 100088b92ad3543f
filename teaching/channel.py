"""The judge's end of the two pipes to a submission: frames of 4 bytes of length and a message.

The other side may send anything, at any rate, or nothing. So every turn of every loop looks at the clock:
also while there is always more to read.
"""

import os
import select
import struct
import time
from collections.abc import Callable

from teaching import codec

MAX_TELLS = 100
"""How often one request may be told of what was refused; the sandbox itself tells far less."""


class Channel:
    """Sends requests and receives replies.

    Parameters
    ----------
    source, sink : the file descriptors to read from and to write to
    heard : called with each message on the way that tells of something and is no reply
    """

    def __init__(self, source: int, sink: int, heard: Callable[[dict], None]):
        self._source, self._sink, self._heard = source, sink, heard
        self._come = bytearray()
        self._tells = 0

    def send(self, message: bytes, deadline: float) -> None:
        """Send a request; when the time is up part of it, and then the missing reply is noticed."""
        self._tells = 0
        data = memoryview(struct.pack("<I", len(message)) + message)
        os.set_blocking(self._sink, False)
        while data:
            _, ready, _ = select.select([], [self._sink], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return
            data = data[os.write(self._sink, data) :]

    def reply(self, deadline: float) -> dict | None:
        """The next reply; None when the time is up, and then nothing is lost of what came.

        Raises
        ------
        ProtocolError
            If what comes is no message, or tells more often than the sandbox does.
        BrokenPipeError
            If the other side has hung up.
        """
        while True:
            head = self._read(4, deadline)
            if head is None:
                return None
            size = struct.unpack("<I", head)[0]
            if size > codec.MAX_BYTES:
                raise codec.ProtocolError("too large")
            body = self._read(size, deadline)
            if body is None:
                self._come[:0] = head
                return None
            message = codec.unpack(body)
            if not isinstance(message, dict):
                raise codec.ProtocolError("no reply")
            if "tell" not in message:
                return message
            self._tells += 1
            if self._tells > MAX_TELLS:
                raise codec.ProtocolError("a flood")
            self._heard(message)

    def _read(self, count: int, deadline: float) -> bytes | None:
        while len(self._come) < count:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self._source], [], [], left)[0]:
                return None
            part = os.read(self._source, 1 << 20)
            if not part:
                raise BrokenPipeError
            self._come += part
        taken = bytes(self._come[:count])
        del self._come[:count]
        return taken
