"""Streamlit components."""
