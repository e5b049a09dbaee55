"""The handle, "why?", the judges and the schedules: a cluster as a learner has it."""
