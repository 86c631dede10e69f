"""What `mtlrun log` needs of a tool."""

from abc import ABC, abstractmethod

from mtlrun.trackers.content import Content


class Tracker(ABC):
    """A project of another tool, to which runs are sent.

    place: where that is, for people to read
    """

    place: str

    @abstractmethod
    def __init__(self, project: str, uri: str | None) -> None:
        """Opens the project of this name, and creates it if needed. uri: the server, for tools that take one."""

    @abstractmethod
    def has(self, content: Content) -> bool:
        """Whether the whole of it was sent before."""

    @abstractmethod
    def add_sweep(self, sweep: Content) -> None:
        """Sends a sweep, before its runs. One that was sent before gets its files anew."""

    @abstractmethod
    def add_run(self, run: Content, sweep: Content | None) -> None:
        """Sends a run. sweep: the sweep that it belongs to, sent before."""
