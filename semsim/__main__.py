"""``python -m semsim`` is the ``semsim`` command."""

from semsim.commands.main import main

if __name__ == "__main__":
    main()
