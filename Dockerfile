FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        build-essential cmake ninja-build pkg-config libuv1-dev libpq-dev libhiredis-dev libyaml-dev libpg-query-dev libprotobuf-c-dev \
        libxxhash-dev libssl-dev libzstd-dev libmicrohttpd-dev libjansson-dev libcmocka-dev \
    && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt CMakePresets.json /src/
COPY src /src/src
COPY sql/feed.sql /src/sql/
COPY bench/CMakeLists.txt /src/bench/
COPY tests/CMakeLists.txt /src/tests/
WORKDIR /src
RUN cmake --preset release -G Ninja && cmake --build --preset release --target pgtier \
    && strip --strip-debug build/release/pgtier

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
        libuv1 libpq5 libhiredis0.14 libyaml-0-2 libpg-query1504.0 libxxhash0 libssl3 libzstd1 libmicrohttpd12 libjansson4 \
        ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home pgtier
COPY --from=build /src/build/release/pgtier /usr/local/bin/
COPY conf/pgtier.yaml /etc/pgtier/
# Inside a container the loopback reaches nobody. The shipped file trusts its clients: publish the port only where that
# is meant, or mount a file with users.
ENV PGTIER_ADDRESS=0.0.0.0 PGTIER_METRICS_ADDRESS=0.0.0.0
USER pgtier
EXPOSE 6432 9432
ENTRYPOINT ["pgtier"]
CMD ["/etc/pgtier/pgtier.yaml"]
