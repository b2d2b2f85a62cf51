# The API, the worker and the `parcours` command: one image, started with different commands.

# The Python that the tests run on.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
# What running needs and nothing of the embedded stack or the tests: a subset of
# requirements.lock, written by `make lock`.
COPY requirements-image.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes \
    --requirement requirements-image.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable .

FROM python:3.11-slim-bookworm
# PYTHONTZPATH: zones come from the pinned tzdata package, not from the image's own files.
# PYTHONUNBUFFERED: a killed process has said everything it had to say.
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONTZPATH= \
    PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --no-create-home parcours
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
# By number, so that a cluster can see that it is not root.
USER 10001
CMD ["parcours", "--help"]
