"""The last gate: answers from a replay file were never asked, so they are all checked here.

Cookiecutter renders this file before it runs it, and the check happens while the line below is
rendered. What then runs is this docstring.
"""
# {{ cookiecutter | check_all }}
