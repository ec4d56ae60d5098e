# The Telegram bot: a small image, without torch.
#   docker build -f deploy/bot.Dockerfile -t notabot-bot .

# The practice page, built by a Node that the image of the bot does not have.
FROM python:3.11-slim-bookworm AS page
WORKDIR /srv/notabot
COPY pyproject.toml README.md ./
COPY deploy deploy
COPY proto proto
COPY web web
RUN mkdir -p bot && EXTRAS=page deploy/setup.sh /opt/venv

FROM python:3.11-slim-bookworm

# bot,shared for several bots behind a webhook
ARG EXTRAS=bot
RUN useradd --create-home --uid 10001 notabot
WORKDIR /srv/notabot
COPY pyproject.toml README.md ./
COPY deploy deploy
COPY proto proto
COPY bot bot
COPY --from=page /srv/notabot/bot/practice/static bot/practice/static
RUN COMPILE=1 EXTRAS=${EXTRAS} deploy/setup.sh /opt/venv \
    && install --directory --owner notabot var

USER 10001
# The root may be read-only: only the file of languages is written, to a volume.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 BOT_STATE_PATH=/srv/notabot/var/bot.sqlite3
VOLUME /srv/notabot/var
# On SIGTERM the bot finishes running requests, or notifies the people whose requests it could not finish.
STOPSIGNAL SIGTERM
ENTRYPOINT ["notabot-bot"]
