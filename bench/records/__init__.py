"""The system of record: one file a trial, the frames made of them, and whose a run's folder is."""
