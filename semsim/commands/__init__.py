"""The ``semsim`` command and the sub-commands that belong to the library.

A sub-command is an entry point of the group ``semsim.commands`` whose value is a Typer app, in a module that
imports nothing heavy at its top; its extras name what the command needs installed.
"""
