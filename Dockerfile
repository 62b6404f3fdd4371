# The image of configs/kubernetes/podlane.yaml: Debian with Podlane's packages.
# `docker build -t podlane:0.1.0 .`; `make image` makes the same without a builder.
FROM debian:12-slim AS build
WORKDIR /src
COPY scripts/deps.sh scripts/
RUN scripts/deps.sh build package
COPY . .
RUN meson setup /build -Dtests=false -Dbench=false && scripts/deb.sh /build

FROM debian:12-slim
RUN --mount=from=build,source=/build/deb,target=/deb \
    apt-get update && \
    apt-get install -y --no-install-recommends /deb/*.deb && \
    rm -rf /var/lib/apt/lists/*
# It makes interfaces, enters pods' namespaces and drives devices, so it is root.
ENTRYPOINT ["/usr/sbin/podlaned"]
CMD ["--config", "/etc/podlane/node.yaml"]
