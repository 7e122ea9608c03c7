"""Runs the queues and functions of a SAM template on this machine."""
