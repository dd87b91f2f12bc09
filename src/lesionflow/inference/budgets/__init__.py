"""What one study costs a network in memory and seconds, told before it starts; what is then computed does not belong here."""
