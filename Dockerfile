# A node in a container that has nothing else in it:
#
#   docker build -t kvs .
#   docker run -p 127.0.0.1:8080:8080 -v kvs:/data kvs
#
# The volume holds config.yaml, which the first start writes, and the data beside it.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The caches outlive a build, so RocksDB and the dependencies are compiled once.
RUN --mount=type=cache,target=/root/.cache/kvs --mount=type=cache,target=/usr/local/cargo/registry \
    make build && mkdir /data

FROM scratch
COPY --from=build /src/dist/kvs /usr/local/bin/kvs
COPY --from=build --chown=65532:65532 /data /data
# The first token is in /data/root-token; `kvs token create --root` in the container makes another.
ENV KVS__BIND_ADDRESS=0.0.0.0
WORKDIR /data
USER 65532:65532
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/kvs"]
CMD ["run"]
