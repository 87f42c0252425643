"""The one exception that a user can cause."""


class UdeansrError(Exception):
    """Something the user can put right.

    The message is one line for each fault: what was found, what was expected, what to do.
    The command line prints it without a traceback and exits with status 2.
    """
