"""What a workspace gives to other programs and takes from them, outside of the nine steps: data sets, models, bills of material. File formats belong to `io.exchange`."""
