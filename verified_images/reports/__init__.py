"""What a build says of itself: its verdict, its failures, its summary."""
