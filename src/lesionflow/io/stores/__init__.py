"""Every artifact's reader and writer together: cases, plans, splits, arrays, bundles, evaluations, promotions, ledger. No foreign formats."""
