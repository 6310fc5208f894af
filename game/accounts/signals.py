"""What other apps are told about players."""

from django.dispatch import Signal

# Sent inside the transaction with `guest` and `player`: what the guest has is to become the player's.
guest_became_player = Signal()
# Sent after the change with `player`.
player_renamed = Signal()
