"""Language models: text in, answers and likelihoods out."""
