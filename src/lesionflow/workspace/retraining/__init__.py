"""`lesionflow retrain`: what is new, what it means, and one or two challengers made of it. How a model is judged does not belong here: `promote` judges."""
