/** Where bars and notes are on the page. Lengths in CSS pixels within the sheet. */

import type { ScoreIndex } from "../score.ts";

export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** A bar: its staves' box, as high as its system, and where its moments are. */
export interface BarBox extends Box {
  /** Score positions and their x, increasing; the bar's begin and end included. */
  readonly moments: readonly (readonly [quarters: number, x: number])[];
}

export interface System extends Box {
  /** Indices of its first and last bar. */
  readonly first: number;
  readonly last: number;
}

/** A page that was measured. */
export interface PageGeometry {
  /** By the index of the bar in the score. */
  readonly bars: ReadonlyMap<number, BarBox>;
  /** From the top of the page. */
  readonly systems: readonly System[];
}

/**
 * Measure a page. This makes the browser lay it out, so it is done when the page is needed.
 *
 * @param page - from 1
 * @param sheet - the element that contains the pages, to which all lengths refer
 * @param find - finds an element of a page by its id
 */
export function measurePage(
  index: ScoreIndex,
  page: number,
  sheet: Element,
  find: (id: string) => Element | null,
): PageGeometry {
  const origin = sheet.getBoundingClientRect();
  const systems: { first: number; last: number; box: Box }[] = [];
  const found = new Map<number, { box: Box; system: number }>();
  for (const [i, measure] of index.score.measures.entries()) {
    const element = measure.page === page ? find(measure.id) : null;
    const box = element && stavesOf(element, origin);
    if (!box) continue;
    const system = systems.at(-1);
    // A system begins where the bars start from the left again.
    if (system && box.left >= system.box.left && box.top < system.box.bottom) {
      system.last = i;
      system.box = unite(system.box, box);
    } else {
      systems.push({ first: i, last: i, box });
    }
    found.set(i, { box, system: systems.length - 1 });
  }
  const bars = new Map<number, BarBox>();
  for (const [i, { box, system }] of found) {
    const around = systems[system]?.box ?? box;
    bars.set(i, {
      ...box,
      top: around.top,
      bottom: around.bottom,
      moments: momentsOf(index, i, box, origin, find),
    });
  }
  return { bars, systems: systems.map(({ first, last, box }) => ({ first, last, ...box })) };
}

/** Return where the moments of a bar are: its notes, its begin and its end. */
function momentsOf(
  index: ScoreIndex,
  bar: number,
  box: Box,
  origin: DOMRect,
  find: (id: string) => Element | null,
): [number, number][] {
  const measure = index.score.measures[bar];
  if (measure === undefined) return [];
  const moments = new Map<number, number>();
  for (const note of index.notesStarting(measure.start - 1e-6, measure.end - 1e-6)) {
    const id = note.ids[0];
    if (id === undefined || note.duration === 0) continue;
    const head = find(id);
    const x = head && headOf(head, origin);
    if (x === null) continue;
    // Of notes that begin together, the leftmost: others may be displaced by a second.
    moments.set(note.start, Math.min(x, moments.get(note.start) ?? Number.POSITIVE_INFINITY));
  }
  if (!moments.has(measure.start)) {
    // A bar that begins with a rest: its music begins behind the clef and signatures.
    const first = Math.min(...moments.values(), box.right);
    moments.set(measure.start, Math.min(first, box.left + (box.right - box.left) * 0.1));
  }
  moments.set(measure.end, box.right);
  return makeIncreasing([...moments].sort((a, b) => a[0] - b[0]));
}

/** Drop moments that lie to the left of earlier ones. */
function makeIncreasing(moments: [number, number][]): [number, number][] {
  const kept: [number, number][] = [];
  for (const moment of moments) {
    const last = kept.at(-1);
    if (last === undefined || moment[1] >= last[1]) kept.push(moment);
  }
  return kept;
}

/** Return the box of a bar's staff lines; in the chord view, of its frame. */
function stavesOf(measure: Element, origin: DOMRect): Box | null {
  let box: Box | null = null;
  for (const line of measure.querySelectorAll(":scope > .staff > path, :scope > rect")) {
    const { left, right, top, bottom } = line.getBoundingClientRect();
    const own = {
      left: left - origin.left,
      right: right - origin.left,
      top: top - origin.top,
      bottom: bottom - origin.top,
    };
    box = box === null ? own : unite(box, own);
  }
  return box;
}

/** Return the x of a note's head. */
function headOf(note: Element, origin: DOMRect): number | null {
  const head = note.querySelector(".notehead") ?? note;
  const { left, width } = head.getBoundingClientRect();
  return width > 0 ? left + width / 2 - origin.left : null;
}

function unite(a: Box, b: Box): Box {
  return {
    left: Math.min(a.left, b.left),
    right: Math.max(a.right, b.right),
    top: Math.min(a.top, b.top),
    bottom: Math.max(a.bottom, b.bottom),
  };
}

/** Return the x of a score position within a bar, between the moments around it. */
export function xAt(bar: BarBox, quarters: number): number {
  const { moments } = bar;
  let i = 0;
  while (i + 2 < moments.length && (moments[i + 1] as readonly [number, number])[0] <= quarters)
    i++;
  const [a, b] = [moments[i], moments[i + 1]];
  if (a === undefined) return bar.left;
  if (b === undefined) return a[1];
  const share = (quarters - a[0]) / (b[0] - a[0]);
  return a[1] + Math.min(1, Math.max(0, share)) * (b[1] - a[1]);
}

/** Return the score position at an x within a bar. */
export function quartersAt(bar: BarBox, x: number): number {
  const { moments } = bar;
  let i = 0;
  while (i + 2 < moments.length && (moments[i + 1] as readonly [number, number])[1] <= x) i++;
  const [a, b] = [moments[i], moments[i + 1]];
  if (a === undefined) return 0;
  if (b === undefined || b[1] === a[1]) return a[0];
  const share = (x - a[1]) / (b[1] - a[1]);
  return a[0] + Math.min(1, Math.max(0, share)) * (b[0] - a[0]);
}

/** Return the index of the bar at a point, or of the nearest one in the nearest system. */
export function barAt({ bars, systems }: PageGeometry, x: number, y: number): number | null {
  let nearest: System | null = null;
  let distance = Number.POSITIVE_INFINITY;
  for (const system of systems) {
    const away = Math.max(system.top - y, y - system.bottom, 0);
    if (away < distance) [nearest, distance] = [system, away];
  }
  if (nearest === null) return null;
  for (let i = nearest.first; i < nearest.last; i++) {
    const bar = bars.get(i);
    if (bar && x < bar.right) return i;
  }
  return nearest.last;
}
