"""The exception for errors that the user can fix."""


class Refused(ValueError):
    """An error that the user can fix: the message names the file or key, the invalid value, and the allowed values.

    The command line prints it as one line. Any other exception is a bug and keeps its traceback.
    """


class Busy(Refused):
    """Another process is at work on the same folder."""
