"""What the notebooks use beside the engine: the same clusters everywhere, bets, the ledger."""
