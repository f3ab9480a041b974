# fakesweep for docker-compose.yml: `--target cpu` (the default there) or `--target gpu`.
FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# libgomp: threads of TensorFlow and OpenCV.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home fakesweep \
    && install --directory --owner fakesweep /data /models /state
WORKDIR /app
COPY requirements.lock pyproject.toml README.md ./
RUN pip install --require-hashes --requirement requirements.lock
COPY . .
RUN pip install --no-deps --no-build-isolation .

FROM base AS gpu
# The libraries of CUDA come with TensorFlow's own extra; the driver is the host's.
RUN pip install "tensorflow[and-cuda]==$(python -c 'from importlib.metadata import version; print(version("tensorflow"))')"
USER fakesweep
ENTRYPOINT ["fakesweep"]
CMD ["worker"]

FROM base AS cpu
USER fakesweep
ENTRYPOINT ["fakesweep"]
CMD ["worker"]
