"""What things cost: each benchmark prints ratios from one run."""
