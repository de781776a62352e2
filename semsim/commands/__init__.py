"""The ``semsim`` command and the sub-commands that belong to the library.

``main`` gathers the sub-commands; ``score``, ``score_dir`` and ``model`` hold the library's. ``options`` holds the
options that they share, ``extras`` names the extra to install for a missing module, ``progress_bar`` shows progress.

Each sub-command is an entry point of the group ``semsim.commands``. The entry point's value is a Typer app, in a module
that imports nothing heavy at the top. The entry point's extras are those that the command needs.
"""
