# The builder with the tools that sites are built with. The last stage is the builder alone; the stage `platform`
# adds the upload service, which then starts builders as its child processes. How to use both: docs/containers.md
ARG RUST_IMAGE=rust:1.98-bookworm@sha256:93ce27a88655056a51dbdd8f5f2d7ddc071c7b0070fb288a37b5a285fc83971e
ARG NODE_IMAGE=node:22-bookworm-slim@sha256:43ac6c60b8f89723f746e8a92ce91abd5017e627ce1ddfe4238355d3a30b772c

# This stage is the same in all three files, so that one compilation serves them.
FROM ${RUST_IMAGE} AS programs
ARG PROFILE=release
WORKDIR /src
COPY . .
RUN --mount=type=cache,id=gitdeploy-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=gitdeploy-target,target=/src/target \
    cargo build --locked --profile "$PROFILE" -p build-server -p request-handler -p upload-service \
 && if [ "$PROFILE" = dev ]; then built=target/debug; else built="target/$PROFILE"; fi \
 && install -D -t /programs "$built/build-server" "$built/request-handler" "$built/upload-service" \
 && mkdir /empty

FROM ${NODE_IMAGE} AS tools
ARG COREPACK_VERSION=0.36.0
ARG HUGO_VERSION=0.168.0
# pip may install into the image and into a build's home: there is no other Python that it could break. Nobody but
# root can read tini, so nobody but root can read the environment of a process that runs it, which is all of ours.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    build-essential ca-certificates git git-lfs openssh-client pkg-config \
    python3 python3-dev python3-pip python3-venv tini unzip xz-utils \
 && rm -rf /var/lib/apt/lists/* /usr/lib/python3*/EXTERNALLY-MANAGED \
 && ln -s python3 /usr/bin/python \
 && git lfs install --system --skip-repo \
 && pip install --no-cache-dir --root-user-action=ignore "hugo==$HUGO_VERSION" \
 && npm install --global --no-audit --no-fund "corepack@$COREPACK_VERSION" \
 && corepack enable \
 && npm cache clean --force \
 && groupadd --gid 1500 build \
 && useradd --uid 1500 --gid 1500 --create-home --shell /usr/sbin/nologin build \
 && install -d -m 755 /workspace \
 && chmod 711 /usr/bin/tini
VOLUME /workspace
ENV GITDEPLOY_BUILD_WORKSPACE=/workspace
WORKDIR /workspace
ARG REVISION=unknown
ARG VERSION=0.0.0
LABEL org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

FROM tools AS platform
COPY --from=programs /programs/build-server /programs/upload-service /usr/local/bin/
RUN install -d -m 700 /data
VOLUME /data
ENV GITDEPLOY_API_DATA_DIRECTORY=/data \
    GITDEPLOY_API_LISTEN=0.0.0.0:8081
EXPOSE 8081
# Builders need root to give each build a user of its own; of root's capabilities they want CHOWN, DAC_OVERRIDE, FOWNER,
# KILL, SETGID and SETUID. The catalog is root's, so no build can read it.
USER 0:0
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/upload-service", "health"]
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/upload-service"]
LABEL org.opencontainers.image.title="GitDeploy platform" \
      org.opencontainers.image.description="The upload service, with builders as its child processes."

FROM tools AS builder
COPY --from=programs /programs/build-server /usr/local/bin/
# The builder is root, with the same six capabilities, and what it builds runs as somebody who has none.
USER 0:0
# It runs one build and ends; its exit code says how.
HEALTHCHECK NONE
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/build-server"]
LABEL org.opencontainers.image.title="GitDeploy builder" \
      org.opencontainers.image.description="Clones a repository, builds it and publishes the result."
