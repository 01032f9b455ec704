"""Copy and pictures: CLIP towers, media files and the fusion of both. Imports copywriting and artifacts only; no Ray."""
