"""Loggers: experiment trackers that receive each trial's parameters, learning curve and result during a run."""

from bench.running.loggers.base import LOGGERS, Begun, Logger, TrialLog, logger, opened
from bench.running.loggers.listening import logged
from bench.running.loggers.trackers import MLflow, TensorBoard, WandB

__all__ = ["LOGGERS", "Begun", "Logger", "MLflow", "TensorBoard", "TrialLog", "WandB", "logged", "logger", "opened"]
