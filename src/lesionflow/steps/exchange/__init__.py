"""What a workspace gives to other programs and takes from them, as commands outside of the nine steps. File formats belong to `io.exchange`."""
