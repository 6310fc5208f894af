"""What the pool tells whoever listens: apps that know of the pool, and of which it knows nothing."""

from django.dispatch import Signal

# In the transaction that erases them; `tweets` are those tweets, with the words that they had.
tweets_erased = Signal()
