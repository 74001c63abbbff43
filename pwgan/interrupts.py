"""SIGINT and SIGTERM: raised as an exception that names the signal, or held until a step is finished."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], None]


class Interrupted(KeyboardInterrupt):
    """A signal has asked the program to end; ``saved`` says what it keeps, if anything."""

    def __init__(self, number: int = signal.SIGINT, saved: str = "") -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}" + (f" {saved}" if saved else ""))
        self.status = 128 + number  # as a shell reports a program that the signal has ended


class Held:
    """Remembers the signal that arrived while it was held; None so far."""

    number: int | None = None


@contextmanager
def raising() -> Iterator[None]:
    """Raise ``Interrupted`` for a signal that arrives while the context is active, so that files are cleaned up."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    with _handled(interrupt):
        yield


@contextmanager
def holding() -> Iterator[Held]:
    """Only remember a signal that arrives while the context is active; a second SIGINT (Ctrl-C) is raised at once."""
    held = Held()

    def remember(number: int, frame: FrameType | None) -> None:
        if held.number == number == signal.SIGINT:
            raise Interrupted(number)
        held.number = number

    with _handled(remember):
        yield held


@contextmanager
def _handled(handler: Handler) -> Iterator[None]:
    """Handle the signals while the context is active; in another thread than the main one, change nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # None: a handler that was not installed from Python, which cannot be restored from here.
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, signal.SIG_DFL if previous is None else previous)
