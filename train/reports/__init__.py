"""What a finished run shows: its history, metrics, pictures and the page that holds them."""
