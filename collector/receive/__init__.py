"""Receivers: what arrives over the network, checked and made durable."""
