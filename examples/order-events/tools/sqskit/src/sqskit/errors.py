"""The error that ends the tool without a traceback."""


class UserError(Exception):
    """Something that the user can fix. The first line says what is wrong; others show where."""
