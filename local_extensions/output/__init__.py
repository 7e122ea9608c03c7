"""The fields of a message: from plain data to what is generated."""
