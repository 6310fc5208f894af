"""What every command says when PostgreSQL does not answer."""


def unserved(error: Exception) -> str:
    """Say that PostgreSQL does not serve us, why, and what to look at; `error` is the database's own."""
    # Most often nothing runs: a command works beside `make play`.
    return f"PostgreSQL does not serve us: {' '.join(str(error).split())} (Does `make play` run, or is DATABASE_URL right?)"
