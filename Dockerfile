# The agent in a container, as an account without any right:
#
#   docker build -t integration-agent .
#   docker run --init -p 8081:8081 -v agent-home:/srv/agent integration-agent
#
# The home is a volume; it is made on the first start. --init lets Docker take care of what programs that services start
# leave behind. Look at it with: docker exec CONTAINER iadmin status
FROM python:3.12-slim AS build
COPY . /source
RUN python -m venv /opt/integration-agent \
 && /opt/integration-agent/bin/pip install --no-cache-dir /source

FROM python:3.12-slim
COPY --from=build /opt/integration-agent /opt/integration-agent
# A number, so that a cluster can see that it is not root; the folder is what a new volume gets its owner from.
RUN install -d -m 0700 -o 10001 -g 10001 /srv/agent
USER 10001:10001
ENV PATH=/opt/integration-agent/bin:$PATH IA_HOME=/srv/agent
WORKDIR /srv/agent
VOLUME /srv/agent
EXPOSE 8081
# What is in hand is finished within 30 s of this; Docker's own patience is 10: docker stop --time 45
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=60s --interval=30s --timeout=15s CMD ["iadmin", "status"]
CMD ["sh", "-c", "[ -d conf ] || iadmin init --host 0.0.0.0 /srv/agent && exec integration-agent"]
