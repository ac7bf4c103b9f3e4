"""Running trials: the driver, its backends, the progress line, loggers, and the verification of rows."""
