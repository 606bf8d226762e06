"""Webhooks end to end: real receivers on loopback, a published verifier, and every state of a delivery."""
