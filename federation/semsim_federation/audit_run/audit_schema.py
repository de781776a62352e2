"""Every field of the configuration of ``semsim audit run`` as a table."""

from pydantic import BaseModel

from semsim_federation.audit_run.audit_config import AuditAxes, AuditConfiguration, AuditedModel, FederatedRounds
from semsim_training.client_images.network_inputs import Inputs
from semsim_training.reconstructions.grid_schema import schema_table


def audit_schema() -> str:
    """A Markdown table for each part that other configurations do not have."""
    parts: dict[str, type[BaseModel]] = {
        "the audit": AuditConfiguration,
        "`model`": AuditedModel,
        "`inputs` of a model": Inputs,
        "`axes`": AuditAxes,
        "`federation`": FederatedRounds,
    }
    return schema_table(parts)
