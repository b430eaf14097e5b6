"""What monitoring would see: metrics of a replay, and the alerts that they would raise."""
