"""What a node measures about the requests that it served."""
