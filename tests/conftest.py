"""What holds for every test."""

import os

# A collector that a test starts brings what it received into the database sooner than the default 5 s.
os.environ["PYROMETER_COLLECTOR_LOG__SEGMENT_AGE_MAX_S"] = "0.3"
# As in the real dashboard: Streamlit would parse each page for bare expressions, which two threads cannot do at once.
os.environ["STREAMLIT_RUNNER_MAGIC_ENABLED"] = "false"
