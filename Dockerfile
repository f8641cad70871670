# Three images with nothing in them but one static program and the certificates of public authorities:
#
#   docker build --target node -t kvs:0.1.0 .                the node
#   docker build --target operator -t kvs-operator:0.1.0 .   the operator on Kubernetes
#   docker build --target e2e -t kvs-e2e:0.1.0 .             load and checks of the scenarios in e2e/
#
# With --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD) they say what they are of.
#
# `make image` makes the same from programs that were built on this machine, without a registry.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The caches outlive a build, so RocksDB and the dependencies are compiled once.
RUN --mount=type=cache,target=/root/.cache/kvs --mount=type=cache,target=/usr/local/cargo/registry \
    scripts/setup build && scripts/dist kvs kvs-operator kvs-e2e && scripts/stage

# scripts/image takes what follows, and gives it its own folder as `build`.
FROM scratch AS operator
ARG VERSION=unknown
ARG REVISION=unknown
COPY --from=build /src/dist/stage/certificates /etc/ssl/certs
COPY --from=build /src/dist/stage/kvs-operator /usr/local/bin/kvs-operator
LABEL org.opencontainers.image.title="KVS operator" \
      org.opencontainers.image.description="Makes KvsClusters run on Kubernetes, and carries changes out safely" \
      org.opencontainers.image.source="https://github.com/kvs-project/kvs" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT"
USER 65532:65532
EXPOSE 8081
ENTRYPOINT ["/usr/local/bin/kvs-operator"]

FROM scratch AS e2e
ARG VERSION=unknown
ARG REVISION=unknown
COPY --from=build /src/dist/stage/certificates /etc/ssl/certs
COPY --from=build /src/dist/stage/kvs-e2e /usr/local/bin/kvs-e2e
LABEL org.opencontainers.image.title="KVS e2e" \
      org.opencontainers.image.description="Load and checks from within a Kubernetes cluster" \
      org.opencontainers.image.source="https://github.com/kvs-project/kvs" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT"
USER 65532:65532
EXPOSE 8082
ENTRYPOINT ["/usr/local/bin/kvs-e2e"]
CMD ["agent"]

FROM scratch AS node
ARG VERSION=unknown
ARG REVISION=unknown
COPY --from=build /src/dist/stage/certificates /etc/ssl/certs
COPY --from=build /src/dist/stage/kvs /usr/local/bin/kvs
COPY --from=build --chown=65532:65532 /src/dist/stage/data /data
LABEL org.opencontainers.image.title="KVS node" \
      org.opencontainers.image.description="A distributed, eventually consistent key-value store for JSON" \
      org.opencontainers.image.source="https://github.com/kvs-project/kvs" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT"
# The volume holds config.yaml, which the first start writes, and the data beside it. The first token is in
# /data/root-token; `kvs token create --root` in the container makes another.
ENV KVS__BIND_ADDRESS=0.0.0.0
WORKDIR /data
USER 65532:65532
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/kvs"]
CMD ["run"]
