"""Read models: rows folded from the log, each with its checkpoint in the same transaction."""
