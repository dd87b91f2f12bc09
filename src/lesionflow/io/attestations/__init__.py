"""What each pipeline step attests of what it took and made, and whether the attestations form a whole chain; what a bundle's own manifest says belongs to `signing`."""
