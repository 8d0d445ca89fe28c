"""What stands between the network and the handlers: who may call, how much, and for how long."""
