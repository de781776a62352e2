"""``python -m service``: `semsim serve` where the project is not installed, as in a container."""

from semsim.commands.main import main
from service.command import app

main(app)
