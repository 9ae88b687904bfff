"""Trainings on demand: the queue, and the workers that run it."""
