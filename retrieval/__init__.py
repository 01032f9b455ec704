"""From merchants' tables to the right product: schemas, ingestion, text encoder, FAISS index, recommendation."""
