"""The choices in a tuning space. This module imports nothing, because the command line is declared from it."""

SAMPLERS = ("tpe", "gp", "cmaes", "random", "grid")
PRUNERS = ("none", "median", "asha")
