"""The log's own rules: the chain, the append routine, the one consumer loop."""
