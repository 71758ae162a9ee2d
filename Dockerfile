# syntax=docker/dockerfile:1
# One image for every process; what a container does is its command (compose.yml). No secret is in it.

# The widget, the desk's script and the simulator's.
FROM node:22-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web/ ./
RUN npm run build

# The locked environment, and the bot trained with it.
FROM python:3.12-slim AS build
COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /usr/local/bin/uv
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never RASA_TELEMETRY_ENABLED=false
WORKDIR /app
COPY pyproject.toml uv.lock hatch_build.py README.md ./
RUN uv sync --frozen --no-dev --no-install-project
COPY bot/ bot/
COPY actions/ actions/
COPY data/ data/
COPY config.yml domain.yml endpoints.yml credentials.yml ./
RUN uv sync --frozen --no-dev
RUN uv run --no-sync afterword train && rm -rf .rasa var
COPY --from=web /src/bot/edge/static/dist/ bot/edge/static/dist/

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /app afterword \
    && install --directory --owner=afterword --group=afterword /app/var
COPY --from=build /app /app
# matplotlib, which Rasa imports, wants a folder to write to.
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    RASA_TELEMETRY_ENABLED=false MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /app
USER afterword
EXPOSE 8080
# Overridden where the container is not an edge.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/livez', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["afterword", "edge", "--host", "0.0.0.0", "--port", "8080"]
