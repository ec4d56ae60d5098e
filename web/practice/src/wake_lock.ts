/** Keeps the screen on while the music plays: hands are on the instrument. */

let lock: Promise<WakeLockSentinel | null> | null = null;

/** Keep the screen on, or let it go off. Where a browser refuses, nothing happens. */
export function keepAwake(isNeeded: boolean): void {
  if (!("wakeLock" in navigator) || isNeeded === (lock !== null)) return;
  if (isNeeded) {
    lock = navigator.wakeLock.request("screen").catch(() => null);
  } else {
    void lock?.then((held) => held?.release());
    lock = null;
  }
}
