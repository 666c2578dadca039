# The controller as a container image. It limits and starts processes on the host's kernel, so it needs more than most:
#
#   docker build -t holdfast .
#   docker run -d --name holdfast --restart unless-stopped \
#     --privileged --cgroupns=host --pid=host \
#     -v /sys/fs/cgroup:/sys/fs/cgroup:rw \
#     -v /etc/holdfast/manifests:/etc/holdfast/manifests:ro \
#     -v /run/holdfast:/run/holdfast -v /var/log/holdfast:/var/log/holdfast \
#     holdfast
#
#   --privileged             without it the runtime mounts cgroups read-only and takes away what workloads may need (devices,
#                            capabilities): they are started from here and inherit it
#   --cgroupns=host, -v /sys/fs/cgroup   the tree is made at the top of the host's hierarchy, outside the container's own cgroup;
#                            inside, the controller's own process would stand in the way: cgroup v2 hands nothing down from
#                            a cgroup that has processes, and the container's limits would hold for all workloads
#   --pid=host               in a process namespace of its own every workload is killed when the controller ends
#   -v /run/holdfast         records: what a workload's back-off is, how it last ended
#
# Workloads see this image's file system, not the host's: their programs must be in the image (FROM holdfast, and add them).
# On a systemd host packaging/*.service is the better way: see docs/operating.md.

FROM node:20-slim AS builder
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm install --no-audit --no-fund
COPY schemas schemas
COPY scripts scripts
COPY src src
# What V8 makes of the program is kept: it is made by running it.
COPY bin bin
COPY manifests manifests
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:20-slim
LABEL org.opencontainers.image.title="holdfast" org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /opt/holdfast
COPY --from=builder /build/node_modules node_modules
COPY --from=builder /build/dist dist
COPY package.json LICENSE ./
COPY schemas schemas
COPY manifests manifests
COPY bin bin
RUN ln -s /opt/holdfast/bin/holdfast.js /usr/local/bin/holdfast
ENTRYPOINT ["holdfast"]
CMD ["run", "-f", "/etc/holdfast/manifests", "--log-format", "json"]
