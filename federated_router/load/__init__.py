"""What the router has to do and with how much: activity and advice on scaling."""
