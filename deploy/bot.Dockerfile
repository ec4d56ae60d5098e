# The Telegram bot: a small image, without torch.
#   docker build -f deploy/bot.Dockerfile -t notabot-bot .
FROM python:3.11-slim-bookworm

RUN useradd --create-home --uid 10001 notabot
WORKDIR /srv/notabot
COPY pyproject.toml README.md ./
COPY deploy deploy
COPY proto proto
COPY bot bot
RUN EXTRAS=bot deploy/setup.sh /opt/venv \
    && install --directory --owner notabot var

USER 10001
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1
# On SIGTERM the bot finishes running requests, or notifies the people whose requests it could not finish.
STOPSIGNAL SIGTERM
ENTRYPOINT ["notabot-bot"]
