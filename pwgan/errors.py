"""The exception for what a user can fix."""


class Refused(ValueError):
    """Something that the user can fix: the message names the file or key, what was given, and what is allowed.

    The command line prints it as one line. Any other exception is a bug and keeps its traceback.
    """
