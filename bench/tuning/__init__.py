"""Tuning hyperparameters with Optuna: a space and its axes, its studies, and their winners on fresh seeds."""
