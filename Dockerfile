# A node in a container:
#
#   docker build -t kvs .
#   docker run -p 8080:8080 -v kvs:/data kvs
#
# Written without a container runtime at hand: the same steps were tried in a plain Debian root, this
# file was not.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The caches outlive a build, so RocksDB and the dependencies are compiled once.
RUN --mount=type=cache,target=/root/.cache/kvs --mount=type=cache,target=/usr/local/cargo/registry \
    scripts/setup build && make build

FROM debian:12-slim
# RocksDB is C++; nothing else is needed beside libc.
RUN apt-get update && apt-get install -y --no-install-recommends libstdc++6 && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/dist/kvs /usr/local/bin/kvs
# There is no authentication yet: whoever reaches the port may do anything. Publish it with care.
ENV KVS__BIND_ADDRESS=0.0.0.0 KVS__DATA_DIR=/data
WORKDIR /data
RUN chown 65532:65532 /data
USER 65532:65532
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["kvs"]
CMD ["run", "/data/config.yaml"]
