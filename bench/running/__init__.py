"""Running trials: the driver, its backends, the progress line, loggers, and verification of rows."""
