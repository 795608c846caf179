"""The node itself: everything Waggle does that is not drawing on a terminal."""

__version__ = "0.1.0"
