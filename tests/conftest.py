"""What holds for every test."""

import os
import signal

# A collector that a test starts brings what it received into the database sooner than the default 5 s.
os.environ["PYROMETER_COLLECTOR_LOG__SEGMENT_AGE_MAX_S"] = "0.3"
# Collectors of tests run side by side: those that serve gRPC say where.
os.environ["PYROMETER_COLLECTOR_GRPC__ADDRESS"] = '""'
# As in the real dashboard: Streamlit would parse each page for bare expressions, which two threads cannot do at once.
os.environ["STREAMLIT_RUNNER_MAGIC_ENABLED"] = "false"
# Started in the background, a shell hands down an ignored SIGINT; the tests of Ctrl-C need it as a terminal gives it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
