"""What the notebooks use: exercises and their sentences, panels, the ledger, the glossary."""
