"""The flame graph as a Streamlit component."""
