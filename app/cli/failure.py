"""How a command gives up: with one sentence for whoever typed it, never a traceback."""


class Failure(Exception):
    """The command cannot go on; the text says why and what to do."""
