"""How the built-in model waggle-tiny is made: its tokenizer, its corpus, its warm start."""
