// An audio worklet that notes the context time at which each sound begins.
class Onsets extends AudioWorkletProcessor {
  constructor({ processorOptions: { threshold, restS } }) {
    super();
    this.threshold = threshold;
    this.rest = restS * sampleRate;
    this.quiet = this.rest;
  }

  process([[samples]]) {
    samples?.forEach((sample, n) => {
      if (Math.abs(sample) <= this.threshold) {
        this.quiet += 1;
        return;
      }
      if (this.quiet >= this.rest) this.port.postMessage(currentTime + n / sampleRate);
      this.quiet = 0;
    });
    return true;
  }
}
registerProcessor("onsets", Onsets);
