"""Check all answers once more: those of a replay file were never asked.

Cookiecutter renders this file before it runs it. Rendering the line below makes the check; running
the file does nothing.
"""
# {{ cookiecutter | check_all }}
