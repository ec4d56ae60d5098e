// Records a voice message. Telegram's are OGG/Opus; browsers that cannot write OGG produce WebM or
// MP4, with that media type.

import { byId } from "./dom.js";
import { formatDuration } from "./i18n.js";

const TYPES = [
  ["audio/ogg;codecs=opus", "ogg"],
  ["audio/webm;codecs=opus", "webm"],
  ["audio/mp4", "m4a"],
];
const LEVEL_STEP_PX = 6;

export class Recorder {
  constructor({ onRecorded, onOpen, onUnavailable }) {
    this.onRecorded = onRecorded;
    this.onOpen = onOpen;
    this.onUnavailable = onUnavailable;
    byId("record-button").addEventListener("click", () => this.start());
    byId("record-cancel").addEventListener("click", () => this.stop(false));
    byId("record-send").addEventListener("click", () => this.stop(true));
    byId("recorder").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.stop(false);
    });
  }

  async start() {
    if (this.media) return;
    const type = TYPES.find(([name]) => window.MediaRecorder?.isTypeSupported(name));
    try {
      if (!type) throw new Error("no recorder");
      // Processing meant for speech degrades music.
      this.stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
    } catch {
      this.onUnavailable();
      return;
    }
    [this.type, this.suffix] = type;
    this.chunks = [];
    this.media = new MediaRecorder(this.stream, { mimeType: this.type });
    this.media.addEventListener("dataavailable", (event) => this.chunks.push(event.data));
    this.media.addEventListener("stop", () => this.finish());
    this.media.start(250);
    this.startedAt = performance.now();
    this.levels = [];
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.context.createMediaStreamSource(this.stream).connect(this.analyser);
    this.onOpen(true);
    byId("record-send").focus();
    this.timer = setInterval(() => this.draw(), 60);
    this.draw();
  }

  stop(keep) {
    if (!this.media) return;
    this.keep = keep;
    this.duration = (performance.now() - this.startedAt) / 1000;
    this.media.stop();
  }

  finish() {
    clearInterval(this.timer);
    for (const track of this.stream.getTracks()) track.stop();
    this.context.close();
    this.media = null;
    this.onOpen(false);
    const type = this.type.split(";")[0];
    if (this.keep) {
      this.onRecorded(new File(this.chunks, `voice.${this.suffix}`, { type }), this.duration);
    }
  }

  draw() {
    byId("record-time").textContent = formatDuration((performance.now() - this.startedAt) / 1000);
    const samples = new Float32Array(this.analyser.fftSize);
    this.analyser.getFloatTimeDomainData(samples);
    const rms = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
    const canvas = byId("record-level");
    this.levels.push(Math.min(1, 4 * rms));
    this.levels = this.levels.slice(-Math.floor(canvas.width / LEVEL_STEP_PX));
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = getComputedStyle(canvas).color;
    this.levels.forEach((level, i) => {
      const height = 4 + level * (canvas.height - 8);
      const x = canvas.width - (this.levels.length - i) * LEVEL_STEP_PX;
      context.beginPath();
      context.roundRect(x, (canvas.height - height) / 2, LEVEL_STEP_PX - 2, height, 2);
      context.fill();
    });
  }
}
