/** The passage that is repeated: its marks on the page, and a handle at each end to drag. */

import type { Passage } from "../audio/player.ts";
import type { Texts } from "../texts.ts";
import type { Box } from "./geometry.ts";

type Edge = "first" | "last";

/** So close to the edge of what is seen, dragging scrolls, in pixels. */
const SCROLL_ZONE_PX = 48;

/** By so much it scrolls in a frame, in pixels. */
const SCROLL_STEP_PX = 9;

/** A system that takes more of the height that is seen has both handles on top. */
const TALL = 0.6;

/** A part of a system that lies in a passage. */
export interface Strip {
  readonly box: Box;
  /** Whether the passage begins, or ends, in it. */
  readonly begins: boolean;
  readonly ends: boolean;
}

/** The sheet, as the marks need it. */
export interface Bars {
  /** Return where a passage is, system by system; lengths in pixels within the sheet. */
  strips(passage: Passage): readonly Strip[];
  /** Return the bar at a point of the window. */
  barAt(clientX: number, clientY: number): number | null;
  /** Return the index of the last bar. */
  last(): number;
  /** Return the number that is printed at a bar. */
  numberOf(bar: number): string;
  /** A handle is being dragged: another passage is to be marked. */
  preview(passage: Passage): void;
  /** A passage was chosen. */
  choose(passage: Passage): void;
}

export class PassageMarks {
  readonly #scroller: HTMLElement;
  readonly #bars: Bars;
  readonly #layer: HTMLElement;
  readonly #handles: Readonly<Record<Edge, HTMLElement>>;
  #passage: Passage | null = null;

  /**
   * @param scroller - the element that scrolls
   * @param sheet - the element in which the pages are
   */
  constructor(scroller: HTMLElement, sheet: HTMLElement, bars: Bars) {
    this.#scroller = scroller;
    this.#bars = bars;
    this.#layer = document.createElement("div");
    this.#layer.className = "passages";
    this.#handles = { first: this.#buildHandle("first"), last: this.#buildHandle("last") };
    sheet.append(this.#layer, this.#handles.first, this.#handles.last);
  }

  /** Mark a passage, or none. */
  show(passage: Passage | null, texts: Texts): void {
    this.#passage = passage;
    this.#layer.replaceChildren();
    for (const edge of ["first", "last"] as const) {
      const handle = this.#handles[edge];
      handle.hidden = true;
      if (passage === null) continue;
      handle.setAttribute("aria-label", edge === "first" ? texts.loopFirst : texts.loopLast);
      handle.setAttribute("aria-valuemax", String(this.#bars.last() + 1));
      handle.setAttribute("aria-valuenow", String(passage[edge] + 1));
      handle.setAttribute("aria-valuetext", texts.bar(this.#bars.numberOf(passage[edge])));
    }
    for (const { box, begins, ends } of passage ? this.#bars.strips(passage) : []) {
      const mark = document.createElement("div");
      mark.className = "passage";
      mark.classList.toggle("begins", begins);
      mark.classList.toggle("ends", ends);
      mark.style.left = `${box.left}px`;
      mark.style.width = `${box.right - box.left}px`;
      mark.style.top = `${box.top}px`;
      mark.style.height = `${box.bottom - box.top}px`;
      this.#layer.append(mark);
      if (begins) put(this.#handles.first, box.left, box.top);
      if (!ends) continue;
      const isTall = box.bottom - box.top > TALL * this.#scroller.clientHeight;
      this.#handles.last.classList.toggle("raised", isTall);
      put(this.#handles.last, box.right, isTall ? box.top : box.bottom);
    }
  }

  #buildHandle(edge: Edge): HTMLElement {
    const handle = document.createElement("div");
    handle.className = `handle ${edge}`;
    handle.hidden = true;
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-valuemin", "1");
    handle.addEventListener("keydown", (event) => this.#pressed(edge, event));
    handle.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary) return;
      event.stopPropagation(); // The sheet would take it for a tap.
      this.#drag(edge, handle, event);
    });
    return handle;
  }

  #pressed(edge: Edge, event: KeyboardEvent): void {
    const steps: Record<string, number> = {
      ArrowLeft: -1,
      ArrowDown: -1,
      ArrowRight: 1,
      ArrowUp: 1,
    };
    const step = steps[event.key];
    if (step === undefined || this.#passage === null) return;
    event.preventDefault();
    event.stopPropagation();
    const passage = this.#moved(edge, this.#passage[edge] + step);
    if (passage) this.#bars.choose(passage);
  }

  /** Follow the pointer until it is lifted. */
  #drag(edge: Edge, handle: HTMLElement, begin: PointerEvent): void {
    let pointer = begin;
    const before = this.#passage;
    const ended = new AbortController();
    const follow = () => {
      const bar = this.#bars.barAt(pointer.clientX, pointer.clientY);
      const passage = bar === null ? null : this.#moved(edge, bar);
      if (passage) this.#bars.preview(passage);
    };
    const scroll = () => {
      if (ended.signal.aborted) return;
      const { top, bottom } = this.#scroller.getBoundingClientRect();
      const isUp = pointer.clientY < top + SCROLL_ZONE_PX;
      if (isUp || pointer.clientY > bottom - SCROLL_ZONE_PX) {
        this.#scroller.scrollBy({ top: isUp ? -SCROLL_STEP_PX : SCROLL_STEP_PX });
        follow();
      }
      requestAnimationFrame(scroll);
    };
    const listen = (type: "pointermove" | "pointerup" | "pointercancel", act: () => void) =>
      handle.addEventListener(
        type,
        (event) => {
          pointer = event;
          act();
        },
        { signal: ended.signal },
      );
    listen("pointermove", follow);
    listen("pointerup", () => {
      ended.abort();
      if (this.#passage) this.#bars.choose(this.#passage);
    });
    listen("pointercancel", () => {
      ended.abort();
      if (before) this.#bars.preview(before);
    });
    handle.setPointerCapture(begin.pointerId);
    requestAnimationFrame(scroll);
  }

  /** Return the passage with one end at another bar; null if that is no change. */
  #moved(edge: Edge, bar: number): Passage | null {
    if (this.#passage === null) return null;
    const { first, last } = this.#passage;
    const inside = Math.min(this.#bars.last(), Math.max(0, bar));
    const moved =
      edge === "first"
        ? { first: Math.min(inside, last), last }
        : { first, last: Math.max(inside, first) };
    return moved.first === first && moved.last === last ? null : moved;
  }
}

function put(handle: HTMLElement, x: number, y: number): void {
  handle.hidden = false;
  handle.style.left = `${x}px`;
  handle.style.top = `${y}px`;
}
