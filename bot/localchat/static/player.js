// A player for voice messages and audio: one plays at a time; voice messages show a waveform.

import { fileUrl } from "./api.js";
import { el, icon } from "./dom.js";
import { formatDuration, t } from "./i18n.js";

const BARS = 44;
const WAVE_LIMIT_BYTES = 2_000_000;
const wavesById = new Map();
let sounding = null;

async function measureWave(fileId) {
  const response = await fetch(fileUrl(fileId));
  if (!response.ok) throw new Error(String(response.status));
  const context = new OfflineAudioContext(1, 1, 16000);
  const samples = (await context.decodeAudioData(await response.arrayBuffer())).getChannelData(0);
  const step = Math.max(1, Math.floor(samples.length / BARS));
  const peaks = Array.from({ length: BARS }, (_, bar) => {
    let sum = 0;
    for (let i = bar * step; i < Math.min((bar + 1) * step, samples.length); i += 1) {
      sum += samples[i] * samples[i];
    }
    return Math.sqrt(sum / step);
  });
  const loudest = Math.max(...peaks, 1e-6);
  return peaks.map((peak) => peak / loudest);
}

function drawWave(wave, levels) {
  wave.replaceChildren(
    ...levels.map((level) => {
      const bar = el("i");
      bar.style.height = `${Math.round(12 + 88 * level)}%`;
      return bar;
    }),
  );
}

export function player(media, { wave: hasWave }) {
  const audio = new Audio();
  audio.preload = "none";
  audio.src = fileUrl(media.file_id);
  let duration = media.duration || 0;

  const button = el("button", { type: "button", class: "play", "aria-label": t("play") }, icon("play"));
  const time = el("span", { class: "time" }, formatDuration(duration));
  const range = el("input", {
    type: "range", min: 0, max: 1000, value: 0, step: 1, "aria-label": t("seek"),
  });
  const wave = el("span", { class: "wave", "aria-hidden": "true" });
  const track = el("span", { class: hasWave ? "track with-wave" : "track" }, wave, range);

  const show = () => {
    const fraction = duration > 0 ? Math.min(1, audio.currentTime / duration) : 0;
    range.value = String(Math.round(1000 * fraction));
    range.setAttribute("aria-valuetext", formatDuration(audio.currentTime));
    track.style.setProperty("--played", String(fraction));
    const bars = wave.children;
    for (let i = 0; i < bars.length; i += 1) {
      bars[i].classList.toggle("played", (i + 0.5) / bars.length < fraction);
    }
    time.textContent = formatDuration(audio.paused && !audio.currentTime ? duration : audio.currentTime);
  };
  const showState = () => {
    button.replaceChildren(icon(audio.paused ? "play" : "pause"));
    button.setAttribute("aria-label", t(audio.paused ? "play" : "pause"));
  };

  button.addEventListener("click", () => {
    if (!audio.paused) {
      audio.pause();
      return;
    }
    if (sounding && sounding !== audio) sounding.pause();
    sounding = audio;
    audio.play().catch(() => {
      time.textContent = "–:––";
      button.title = t("fileGone");
    });
  });
  range.addEventListener("input", () => {
    if (duration > 0) audio.currentTime = (Number(range.value) / 1000) * duration;
    show();
  });
  audio.addEventListener("loadedmetadata", () => {
    if (Number.isFinite(audio.duration) && audio.duration > 0) duration = audio.duration;
  });
  audio.addEventListener("timeupdate", show);
  audio.addEventListener("play", showState);
  audio.addEventListener("pause", showState);
  audio.addEventListener("ended", () => {
    audio.currentTime = 0;
    show();
  });

  if (hasWave) {
    drawWave(wave, Array(BARS).fill(0));
    if (media.file_size <= WAVE_LIMIT_BYTES) {
      if (!wavesById.has(media.file_id)) wavesById.set(media.file_id, measureWave(media.file_id));
      wavesById.get(media.file_id).then((levels) => drawWave(wave, levels)).catch(() => {});
    }
  }
  return el("div", { class: "player" }, button, track, time);
}
