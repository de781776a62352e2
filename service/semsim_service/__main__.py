"""`semsim serve` as ``python -m semsim_service``, where the project is not installed but on the path, as in a container."""

from semsim.commands.main import main
from semsim_service.serve_command import app

main(app)
