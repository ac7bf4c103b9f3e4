"""What a tuning space can choose between. Imports nothing, since the command line is declared from it."""

SAMPLERS = ("tpe", "gp", "cmaes", "random", "grid")
PRUNERS = ("none", "median", "asha")
