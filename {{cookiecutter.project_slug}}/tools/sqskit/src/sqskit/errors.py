"""The error that ends the tool with one line."""


class UserError(Exception):
    """Something that the user can fix. The text is one line and says how."""
