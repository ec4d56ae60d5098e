/**
 * The cursor. It glides by itself for a moment, as an animation that the browser draws without the
 * page's help: to move it in each frame would cost the browser as much as to order all signs anew.
 */

/** A glide that is farther than this from where it should be begins anew, in pixels. */
const OFF_PX = 0.75;

interface Glide {
  readonly animation: Animation;
  readonly from: number;
  readonly to: number;
  readonly top: number;
  readonly durationMs: number;
}

export class Cursor {
  readonly #element: HTMLElement;
  #glide: Glide | null = null;

  /** @param sheet - the element in which it stands */
  constructor(sheet: HTMLElement) {
    this.#element = document.createElement("div");
    this.#element.className = "cursor";
    this.#element.hidden = true;
    sheet.append(this.#element);
  }

  hide(): void {
    this.#element.hidden = true;
  }

  /**
   * Stand at a place, and glide from there.
   *
   * @param x - within the sheet, in pixels, as are the other lengths
   * @param to - the x that is reached after `durationMs`; the same x if it rests
   */
  stand(x: number, top: number, height: number, to: number, durationMs: number): void {
    this.#element.hidden = false;
    this.#element.style.height = `${height.toFixed(1)}px`;
    if (this.#glide && this.#isRight(this.#glide, x, top, to)) return;
    const before = this.#glide?.animation;
    this.#glide = null;
    if (to === x) {
      this.#element.style.transform = shift(x, top);
    } else {
      const animation = this.#element.animate(
        [{ transform: shift(x, top) }, { transform: shift(to, top) }],
        { duration: durationMs, fill: "forwards" },
      );
      this.#glide = { animation, from: x, to, top, durationMs };
    }
    before?.cancel();
  }

  /** Whether a glide goes on and is where it should be. */
  #isRight({ animation, from, to, top, durationMs }: Glide, x: number, y: number, next: number) {
    const share = Number(animation.currentTime ?? 0) / durationMs;
    const isOn = share < 1 || next === to;
    return isOn && y === top && next !== x && Math.abs(from + share * (to - from) - x) < OFF_PX;
  }
}

function shift(x: number, y: number): string {
  return `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
}
