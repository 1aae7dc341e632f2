# The agent as a container image, the agent's extra alone. From the root of a checkout:
#   docker build -f configs/docker/agent.Dockerfile -t pyrometer-agent .
# Running it: configs/docker/compose.yaml and docs/how-to/run-the-agent.md
ARG PYTHON=3.12-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
COPY . .
# --copies, as the interpreter gets capabilities that the image's own must not have.
RUN python -m venv --copies /opt/pyrometer \
 && /opt/pyrometer/bin/pip install --no-cache-dir '/src[agent]' -c constraints.txt \
 && /opt/pyrometer/bin/pip uninstall -y pip

FROM python:${PYTHON}
COPY --from=build /opt/pyrometer /opt/pyrometer
# A user who is not root gets no capability from --cap-add alone: the programs' files have to carry them. So the
# container must not run with no-new-privileges.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libcap2-bin \
 && setcap cap_sys_ptrace,cap_dac_read_search=ep "$(readlink -f /opt/pyrometer/bin/python)" \
 && setcap cap_sys_ptrace,cap_dac_read_search=ep /opt/pyrometer/bin/py-spy \
 && apt-get purge -y --auto-remove libcap2-bin \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 65532 --home-dir /var/lib/pyrometer --create-home pyrometer
COPY configs/agent.yaml /etc/pyrometer/agent.yaml
USER 65532
ENV STATE_DIRECTORY=/var/lib/pyrometer
VOLUME /var/lib/pyrometer
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/pyrometer/bin/pyrometer", "agent", "run"]
CMD ["--config", "/etc/pyrometer/agent.yaml"]
