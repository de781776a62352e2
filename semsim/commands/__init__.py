"""The ``semsim`` command and the sub-commands that belong to the library.

A sub-command is an entry point of the group ``semsim.commands``. Its value is a Typer app, in a module that imports
nothing heavy at its top. Its extras are those that the command needs.
"""
