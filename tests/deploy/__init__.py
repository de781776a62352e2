"""What operators deploy: image, Compose, chart, dashboard, alerts."""
