"""What a company knew before it had Parcours, brought in row by row."""
