"""``python -m semsim_service`` is `semsim serve` for a project on the path that is not installed, as in a container."""

from semsim.commands.main import main
from semsim_service.serve_command import app

main(app)
