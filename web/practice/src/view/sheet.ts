/**
 * Shows the pages, the cursor and the loop on them, and tells which note or bar was touched.
 *
 * Touching: a tap goes to a note or bar; dragging sideways over bars chooses a passage; dragging up
 * and down scrolls.
 */

import type { Passage } from "../audio/player.ts";
import type { ScoreIndex } from "../score.ts";
import { textsFor } from "../texts.ts";
import { Cursor } from "./cursor.ts";
import { type BarBox, barAt, measurePage, type PageGeometry, quartersAt, xAt } from "./geometry.ts";
import { PassageMarks, type Strip } from "./passage.ts";
import { type StaffPlace, staffPlaceAt } from "./staves.ts";
import { aspectOf, parseSvg } from "./svg.ts";

/** Movements below this, in pixels, are taps. */
const TAP_PX = 8;

/** How far from a notehead a tap still means it, in pixels: half of a finger's width. */
const REACH_PX = 18;

/** After scrolling by hand, the page stays for so long, in milliseconds. */
const HANDS_OFF_MS = 4000;

/** Chord symbols and tempo marks over a system are no higher than this. */
const MOST_OVER_PX = 160;

/** How far ahead the cursor's way is asked for, in seconds. */
export const AHEAD_S = 0.25;

/** How many pages are drawn before the browser may do something else. */
const PAGES_AT_ONCE = 4;

/** How many bars ahead are kept in sight. */
const BARS_AHEAD = 2;

/** A place in the score that was tapped. */
export interface Tap {
  /** Where the nearest note begins, or the nearest one on the left. */
  readonly quarters: number;
  /** The id of the note's head, if one was near, and how far it was, in pixels. */
  readonly noteId: string | null;
  readonly distance: number;
  /** The index of the bar, and the position that was tapped in it. */
  readonly bar: number;
  readonly exact: number;
  /** The place on the staff; null where there is none to write notes on. */
  readonly place: StaffPlace | null;
}

export interface SheetEvents {
  tapped(tap: Tap): void;
  /** A passage was chosen by dragging; null while none is. */
  passageChosen(passage: Passage): void;
}

export class Sheet {
  readonly #scroller: HTMLElement;
  readonly #sheet: HTMLElement;
  readonly #cursor: Cursor;
  readonly #title: HTMLElement;
  readonly #glyphs: HTMLElement;
  readonly #marks: PassageMarks;
  readonly #events: SheetEvents;
  #index: ScoreIndex | null = null;
  /** The pages that were measured, by their numbers. */
  readonly #geometry = new Map<number, PageGeometry>();
  #pages: HTMLElement[] = [];
  #sounding = new Set<string>();
  #selected: string | null = null;
  #passage: Passage | null = null;
  #leftAloneUntil = 0;
  #scrollTarget: number | null = null;
  #fonts: FontFace[] = [];

  /**
   * @param scroller - the element that scrolls
   * @param events - what to tell
   */
  constructor(scroller: HTMLElement, events: SheetEvents) {
    this.#scroller = scroller;
    this.#events = events;
    this.#sheet = append(scroller, "div", "sheet");
    this.#glyphs = append(this.#sheet, "div", "glyphs");
    this.#title = append(this.#sheet, "h2", "title");
    this.#marks = new PassageMarks(scroller, this.#sheet, {
      strips: (passage) => this.#strips(passage),
      barAt: (clientX, clientY) => this.#barAt(this.#pointOf({ clientX, clientY })),
      last: () => this.#lastBar,
      numberOf: (bar) => this.#index?.score.measures[bar]?.number ?? "",
      preview: (passage) => this.setPassage(passage),
      choose: (passage) => this.#events.passageChosen(passage),
    });
    this.#cursor = new Cursor(this.#sheet);
    this.#listen();
    new ResizeObserver(() => this.#forgetGeometry()).observe(this.#sheet);
  }

  /** The width that pages can have, in pixels. */
  get width(): number {
    const { paddingLeft, paddingRight } = getComputedStyle(this.#sheet);
    const padding = Number.parseFloat(paddingLeft) + Number.parseFloat(paddingRight);
    return this.#sheet.clientWidth - padding;
  }

  /** Show a score, and keep the place that was read if there was a score before. */
  show(index: ScoreIndex): void {
    const place = this.#index === null ? null : this.#placeInSight();
    this.#index = index;
    this.#sounding.clear();
    this.#loadFonts(index);
    for (const page of this.#pages) page.remove();
    this.#title.textContent = index.score.title;
    this.#glyphs.replaceChildren(...(index.score.glyphs ? [parseSvg(index.score.glyphs)] : []));
    this.#pages = index.score.pages.map((text, i) => {
      const page = append(this.#sheet, "div", "page");
      page.setAttribute("role", "img");
      page.setAttribute("aria-label", describe(index, i + 1));
      page.style.setProperty("--aspect", String(aspectOf(text)));
      return page;
    });
    this.#forgetGeometry();
    if (place !== null) this.#scrollToBar(index.measureAt(place), "instant");
    this.#drawPassage();
    this.#fillAll();
  }

  /** Draw the pages: those in sight now, and the others by and by, so that they are there soon. */
  #fillAll(): void {
    const index = this.#index;
    const top = this.#scroller.scrollTop - this.#sheet.offsetTop;
    const first = this.#pageAt(top);
    const last = this.#pageAt(top + this.#scroller.clientHeight);
    for (let page = first; page <= last; page++) this.#fill(page);
    let next = 1;
    const goOn = () => {
      if (this.#index !== index) return;
      const end = Math.min(next + PAGES_AT_ONCE, this.#pages.length + 1);
      while (next < end) this.#fill(next++);
      if (next <= this.#pages.length) setTimeout(goOn, 0);
    };
    requestAnimationFrame(() => setTimeout(goOn, 0));
  }

  /** Draw a page, from 1, if it is not. */
  #fill(number: number): void {
    const [page, text] = [this.#pages[number - 1], this.#index?.score.pages[number - 1]];
    if (page === undefined || text === undefined || page.firstChild !== null) return;
    page.append(parseSvg(text));
    if (this.#selected) this.#markSelected();
  }

  /**
   * Put the cursor at a score position and light the notes that sound.
   *
   * @param ahead - the position {@link AHEAD_S} later; the same at rest
   */
  follow(quarters: number, isPlaying: boolean, ahead: number): void {
    const index = this.#index;
    if (index === null) return;
    const bar = index.measureAt(quarters);
    const box = this.#box(bar);
    if (box === null) this.#cursor.hide();
    else this.#moveCursor(bar, box, quarters, ahead);
    this.#light(isPlaying ? index.notesAt(quarters).flatMap((note) => note.ids) : []);
    if (isPlaying) this.#keepInSight(bar);
  }

  #moveCursor(bar: number, box: BarBox, quarters: number, ahead: number): void {
    const x = xAt(box, quarters);
    const height = box.bottom - box.top;
    // No farther than the bar's end: the next one may begin a system. Back, as in a loop, it jumps.
    const end = Math.min(ahead, this.#index?.score.measures[bar]?.end ?? ahead);
    const share = ahead > quarters ? (end - quarters) / (ahead - quarters) : 0;
    const to = share > 0 ? xAt(box, end) : x;
    this.#cursor.stand(x, box.top, height, to, 1000 * AHEAD_S * share);
  }

  /** Bring a bar into sight, whatever was scrolled by hand. */
  reveal(quarters: number): void {
    this.#leftAloneUntil = 0;
    if (this.#index) this.#keepInSight(this.#index.measureAt(quarters));
  }

  /** Mark the passage that is repeated. */
  setPassage(passage: Passage | null): void {
    this.#passage = passage;
    this.#drawPassage();
  }

  /** Mark a note, by its name, or none. */
  select(note: string | null): void {
    this.#selected = note;
    for (const element of this.#sheet.querySelectorAll(".selected")) {
      element.classList.remove("selected");
    }
    this.#markSelected();
  }

  #markSelected(): void {
    const found = this.#index?.notes.find(({ note }) => note === this.#selected);
    for (const id of found?.ids ?? []) this.#find(id)?.classList.add("selected");
  }

  #find(id: string): Element | null {
    return this.#sheet.querySelector(`#${CSS.escape(id)}`);
  }

  #light(ids: readonly string[]): void {
    const next = new Set(ids);
    for (const id of this.#sounding)
      if (!next.has(id)) this.#find(id)?.classList.remove("sounding");
    for (const id of next) if (!this.#sounding.has(id)) this.#find(id)?.classList.add("sounding");
    this.#sounding = next;
  }

  /** Return the geometry of a page, from 1. */
  #measured(page: number): PageGeometry | null {
    if (this.#index === null || page < 1 || page > this.#pages.length) return null;
    let geometry = this.#geometry.get(page);
    if (geometry === undefined) {
      this.#fill(page);
      geometry = measurePage(this.#index, page, this.#sheet, (id) => this.#find(id));
      this.#geometry.set(page, geometry);
    }
    return geometry;
  }

  #forgetGeometry(): void {
    this.#geometry.clear();
    this.#drawPassage();
  }

  #box(bar: number): BarBox | null {
    const measure = this.#index?.score.measures[bar];
    return (measure && this.#measured(measure.page)?.bars.get(bar)) ?? null;
  }

  /** Return the number of the page at a height within the sheet. */
  #pageAt(y: number): number {
    const found = this.#pages.findIndex((page) => page.offsetTop + page.offsetHeight > y);
    return found < 0 ? this.#pages.length : found + 1;
  }

  /** Return the bar at a point of the sheet. */
  #barAt({ x, y }: { x: number; y: number }): number | null {
    const geometry = this.#measured(this.#pageAt(y));
    return geometry && barAt(geometry, x, y);
  }

  /** Scroll if the bar, or those that follow, are not in sight. */
  #keepInSight(bar: number): void {
    if (performance.now() < this.#leftAloneUntil) return;
    const here = this.#box(bar);
    const ahead = this.#box(Math.min(bar + BARS_AHEAD, this.#lastBar));
    if (!here || !ahead) return;
    const top = this.#scrollTarget ?? this.#scroller.scrollTop;
    const offset = this.#sheet.offsetTop;
    const isInSight =
      here.top + offset >= top && ahead.bottom + offset <= top + this.#scroller.clientHeight;
    // Where two systems do not fit, the one that is played has to.
    const fits = ahead.bottom - here.top <= this.#scroller.clientHeight;
    const isPlayedInSight =
      here.top + offset >= top && here.bottom + offset <= top + this.#scroller.clientHeight;
    if (isInSight || (!fits && isPlayedInSight)) return;
    this.#scrollToBar(bar, "smooth");
  }

  #scrollToBar(bar: number, behaviour: "smooth" | "instant"): void {
    const box = this.#box(bar);
    if (box === null) return;
    // A page that is one system is shown with what stands over its staves.
    const page = this.#pages[(this.#index?.score.measures[bar]?.page ?? 1) - 1];
    const over = box.top - (page?.offsetTop ?? 0);
    const room = over < MOST_OVER_PX ? over + 4 : Math.min(56, this.#scroller.clientHeight * 0.12);
    const limit = this.#scroller.scrollHeight - this.#scroller.clientHeight;
    const target = Math.max(0, Math.min(limit, box.top + this.#sheet.offsetTop - room));
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#scrollTarget = target;
    this.#scroller.scrollTo({ top: target, behavior: isStill ? "instant" : behaviour });
  }

  /** Return the score position at the top of what is seen. */
  #placeInSight(): number | null {
    const top = this.#scroller.scrollTop - this.#sheet.offsetTop;
    const geometry = this.#measured(this.#pageAt(top));
    if (top <= 0 || !geometry || !this.#index) return null;
    const system = geometry.systems.find(({ bottom }) => bottom > top);
    return (system && this.#index.score.measures[system.first]?.start) ?? null;
  }

  #drawPassage(): void {
    if (this.#index) this.#marks.show(this.#passage, textsFor(this.#index.score.language));
  }

  /** Return where a passage is, system by system. */
  #strips({ first, last }: Passage): Strip[] {
    const measures = this.#index?.score.measures.slice(first, last + 1) ?? [];
    const strips: Strip[] = [];
    for (const page of new Set(measures.map((measure) => measure.page))) {
      const geometry = this.#measured(page);
      for (const { top, bottom, ...system } of geometry?.systems ?? []) {
        const [from, to] = [Math.max(first, system.first), Math.min(last, system.last)];
        const [left, right] = [geometry?.bars.get(from)?.left, geometry?.bars.get(to)?.right];
        if (from > to || left === undefined || right === undefined) continue;
        const box = { left, right, top, bottom };
        strips.push({ box, begins: from === first, ends: to === last });
      }
    }
    return strips;
  }

  get #lastBar(): number {
    return Math.max(0, (this.#index?.score.measures.length ?? 0) - 1);
  }

  /** Return a point of the window within the sheet. */
  #pointOf({ clientX, clientY }: { clientX: number; clientY: number }): { x: number; y: number } {
    const { left, top } = this.#sheet.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  #listen(): void {
    let start: { x: number; y: number; bar: number | null } | null = null;
    let isChoosing = false;
    this.#sheet.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary) return;
      const point = this.#pointOf(event);
      start = { ...point, bar: this.#barAt(point) };
      isChoosing = false;
    });
    this.#sheet.addEventListener("pointermove", (event) => {
      if (start === null || !event.isPrimary) return;
      const point = this.#pointOf(event);
      if (!isChoosing && Math.abs(point.x - start.x) > 2 * TAP_PX) {
        isChoosing = true;
        this.#sheet.setPointerCapture(event.pointerId);
      }
      const bar = this.#barAt(point);
      if (!isChoosing || start.bar === null || bar === null) return;
      const passage = { first: Math.min(start.bar, bar), last: Math.max(start.bar, bar) };
      if (passage.first !== this.#passage?.first || passage.last !== this.#passage?.last) {
        this.setPassage(passage);
      }
    });
    this.#sheet.addEventListener("pointerup", (event) => {
      if (start === null || !event.isPrimary) return;
      const point = this.#pointOf(event);
      const moved = Math.hypot(point.x - start.x, point.y - start.y);
      if (isChoosing && this.#passage) this.#events.passageChosen(this.#passage);
      else if (moved <= TAP_PX) this.#tap(event, point);
      start = null;
      isChoosing = false;
    });
    this.#sheet.addEventListener("pointercancel", () => {
      start = null;
      isChoosing = false;
    });
    const scrolledByHand = () => {
      this.#leftAloneUntil = performance.now() + HANDS_OFF_MS;
      this.#scrollTarget = null;
    };
    for (const type of ["wheel", "touchmove"]) {
      this.#scroller.addEventListener(type, scrolledByHand, { passive: true });
    }
    this.#scroller.addEventListener("scrollend", () => {
      this.#scrollTarget = null;
    });
  }

  #tap(event: PointerEvent, point: { x: number; y: number }): void {
    const index = this.#index;
    const bar = this.#barAt(point);
    const box = bar === null ? null : this.#box(bar);
    if (!index || !box || bar === null) return;
    const measure = index.score.measures[bar];
    const notes = measure ? index.notesStarting(measure.start, measure.end) : [];
    let nearest: { id: string; quarters: number; distance: number } | null = null;
    for (const note of notes) {
      for (const id of note.ids.slice(0, 1)) {
        const head = this.#find(id)?.querySelector(".notehead") ?? this.#find(id);
        if (!head) continue;
        const { left, top, width, height } = head.getBoundingClientRect();
        const distance = Math.hypot(
          left + width / 2 - event.clientX,
          top + height / 2 - event.clientY,
        );
        if (distance < (nearest?.distance ?? REACH_PX)) {
          nearest = { id, quarters: note.start, distance };
        }
      }
    }
    const element = measure && this.#find(measure.id);
    const page = measure && this.#pages[measure.page - 1];
    this.#events.tapped({
      quarters: nearest?.quarters ?? nearestMoment(box, point.x),
      noteId: nearest?.id ?? null,
      distance: nearest?.distance ?? Number.POSITIVE_INFINITY,
      bar,
      exact: quartersAt(box, point.x),
      place: element && page ? staffPlaceAt(index, element, page, event) : null,
    });
  }

  /** Load the fonts of the pages' text; until they are there, the browser's serif stands in. */
  #loadFonts(index: ScoreIndex): void {
    for (const font of this.#fonts) document.fonts.delete(font);
    this.#fonts = (index.score.fonts ?? []).map(({ family, is_bold, is_italic, woff2 }) => {
      const bytes = Uint8Array.from(atob(woff2), (character) => character.charCodeAt(0));
      const font = new FontFace(family, bytes, {
        weight: is_bold ? "bold" : "normal",
        style: is_italic ? "italic" : "normal",
      });
      document.fonts.add(font);
      void font.load();
      return font;
    });
  }
}

/** Return what a page shows, for those who do not see it: its bars, and the chords over them. */
function describe(index: ScoreIndex, page: number): string {
  const measures = index.score.measures.filter((measure) => measure.page === page);
  const [first, last] = [measures[0], measures.at(-1)];
  if (!first || !last) return "";
  const chords = index.score.chords.filter(({ start }) => start >= first.start && start < last.end);
  const bars = textsFor(index.score.language).bars(first.number, last.number);
  return [bars, ...chords.map(({ text }) => text)].join(", ");
}

/** Return the moment of a bar, its end excepted, that is nearest to an x on its left. */
function nearestMoment(bar: BarBox, x: number): number {
  const quarters = quartersAt(bar, x);
  const moments = bar.moments.slice(0, -1).map(([moment]) => moment);
  const before = moments.filter((moment) => moment <= quarters + 1e-9);
  return before.at(-1) ?? moments[0] ?? quarters;
}

function append(parent: Element, name: "div" | "h2", className: string): HTMLElement {
  const element = document.createElement(name);
  element.className = className;
  parent.append(element);
  return element;
}
