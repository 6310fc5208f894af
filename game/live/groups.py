"""Names of channel-layer groups, in one place."""


def room_group(topic: str, key: str) -> str:
    """Return the group that carries news of one room."""
    return f"room.{topic}.{key}"
