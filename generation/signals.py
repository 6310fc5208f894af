"""What generation tells whoever listens: apps that know of it, and of which it knows nothing."""

from django.dispatch import Signal

# `worker`, by its name, stops and finishes nothing more: what it is at goes to others.
worker_stops = Signal()
