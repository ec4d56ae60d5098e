# The inference service, for CPU or CUDA.
#   docker build -f deploy/service.Dockerfile -t notabot-service .
#   docker build -f deploy/service.Dockerfile -t notabot-service:cuda --build-arg TORCH_INDEX= .
# PyPI's torch carries CUDA in its wheels; the host needs a driver and the NVIDIA container toolkit.
FROM python:3.11-slim-bookworm

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# service,shared for services that share results or state
ARG EXTRAS=service
# FluidSynth and a soundfont, for previews.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends fluidsynth fluid-soundfont-gm \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 notabot
WORKDIR /srv/notabot
COPY pyproject.toml README.md ./
COPY deploy deploy
COPY proto proto
COPY inference_service inference_service
COPY model_zoo model_zoo
RUN COMPILE=1 EXTRAS=${EXTRAS} TORCH_INDEX=${TORCH_INDEX} deploy/setup.sh /opt/venv \
    && install --directory --owner notabot var

USER 10001
# The root may be read-only: what outlives a restart is in /srv/notabot/var, for a volume; the rest in
# /tmp. The service listens for other containers, so it does not start without NOTABOT_SERVER_TOKEN.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib XDG_CACHE_HOME=/tmp/cache \
    NOTABOT_SERVER_LISTEN=0.0.0.0:50051 \
    NOTABOT_CACHE_DIRECTORY=/srv/notabot/var/cache \
    NOTABOT_JOURNAL_DIRECTORY=/srv/notabot/var/jobs \
    NOTABOT_MODELS_WEIGHTS=/srv/notabot/var/weights
VOLUME /srv/notabot/var
EXPOSE 50051 9464
HEALTHCHECK --interval=10s --timeout=8s --start-period=3m \
    CMD ["python", "deploy/healthcheck.py", "127.0.0.1:50051"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["notabot", "serve"]
