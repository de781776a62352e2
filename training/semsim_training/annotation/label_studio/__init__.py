"""Tasks for Label Studio (labelstud.io), and the annotations that it exports."""
