"""What can go wrong."""


class Trouble(Exception):
    """Said to the user as it is; the comparison ends."""
