"""Several processes that train one network: how they are started and told what is next; what they say in the loop belongs to `training`."""
