"""What shoppers do: histories for recommenders, impressions for the response model."""
