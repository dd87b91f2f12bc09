"""Every artifact's reader and writer together: cases, plans, splits, arrays, bundles, evaluations, ledger. No foreign formats."""
