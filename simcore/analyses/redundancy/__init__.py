"""Rules without which every flow is judged the same."""
