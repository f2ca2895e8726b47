"""Fine-tuning: rows in, better weights out."""
