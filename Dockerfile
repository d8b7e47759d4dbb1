# TagTower: server, worker and command line in one image, for processors without a GPU.
#
#   docker build -t tagtower .
#   docker run -v tagtower:/home/tagtower/data -p 127.0.0.1:8765:8765 -e TAGTOWER_SERVER_HOST=0.0.0.0 tagtower
FROM python:3.11-slim-bookworm AS build

# The versions of the packages that are built and tested with. An index with CPU builds of PyTorch saves several gigabytes:
#   docker build --build-arg TORCH_INDEX=https://... -t tagtower .
ARG TORCH_INDEX=
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY src ./src
RUN python -m venv /opt/tagtower \
    && /opt/tagtower/bin/pip install --no-cache-dir --constraint constraints.txt \
        ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
        ".[server,postgres,s3,feeds,otel]"

FROM python:3.11-slim-bookworm

# A user of its own; HOME of the installation is the only place that it writes to.
RUN useradd --create-home --uid 10001 tagtower \
    && install -d -o tagtower -g tagtower /home/tagtower/data
COPY --from=build /opt/tagtower /opt/tagtower
ENV PATH=/opt/tagtower/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    HF_HUB_OFFLINE=1
USER 10001
WORKDIR /home/tagtower
VOLUME /home/tagtower/data
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
ENTRYPOINT ["tagtower"]
CMD ["serve", "/home/tagtower/data/home"]
