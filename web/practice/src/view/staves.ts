/** Which note a place on a staff stands for, read from the engraved page. */

import type { ScoreIndex } from "../score.ts";

/** A place on a staff. */
export interface StaffPlace {
  /** The id of the part. */
  readonly part: string;
  /** The number of the staff within its part, from 1. */
  readonly staff: number;
  /** The line or space as a note name: 7 for each octave, and 0 to 6 for C to B; middle C is 28. */
  readonly step: number;
}

/** Steps on which clefs stand, by the number of their glyph in SMuFL. */
const CLEFS: Readonly<Record<string, number>> = {
  E050: 32, // G
  E052: 25, // G, an octave lower
  E053: 39, // G, an octave higher
  E05C: 28, // C
  E062: 24, // F
  E064: 17, // F, an octave lower
  E065: 31, // F, an octave higher
};

/** Steps by which what stands under a line of octaves is written lower, by its glyph's number. */
const OCTAVES: Readonly<Record<string, number>> = { E511: 7, E512: 7, E51C: 7, E514: 14, E515: 14 };

const LINES = 5;

/**
 * Return the place on the nearest staff of a bar; null where pitches are not told from it: at a staff
 * of drums, or where no staff is drawn.
 *
 * @param bar - the element of the bar
 * @param page - the element of the system that it is in
 * @param point - in the window
 */
export function staffPlaceAt(
  index: ScoreIndex,
  bar: Element,
  page: Element,
  { clientX: x, clientY: y }: { clientX: number; clientY: number },
): StaffPlace | null {
  const staves = [...bar.querySelectorAll(":scope > .staff")];
  let nearest: { number: number; step: number; distance: number } | null = null;
  for (const [number, staff] of staves.entries()) {
    const lines = [...staff.querySelectorAll(":scope > path")].map(
      (line) => line.getBoundingClientRect().top,
    );
    const [top, bottom] = [Math.min(...lines), Math.max(...lines)];
    const distance = Math.max(top - y, y - bottom, 0);
    if (lines.length !== LINES || distance >= (nearest?.distance ?? Number.POSITIVE_INFINITY)) {
      continue;
    }
    const clef = clefAt(page, number, x);
    if (clef === null) continue;
    const step = Math.round((clef.y - y) / ((bottom - top) / (2 * (LINES - 1))));
    nearest = { number, step: clef.step + step, distance };
  }
  if (nearest === null) return null;
  const owner = ownerOf(index, nearest.number);
  return owner && { ...owner, step: nearest.step + octavesAt(page, nearest.number, x) };
}

/** Return the part and its staff that the nth staff of a system, from 0, belongs to. */
function ownerOf(index: ScoreIndex, number: number): { part: string; staff: number } | null {
  let first = 0;
  for (const part of index.score.parts) {
    const staff = number - first + 1;
    if (staff <= part.staves) return part.is_drum ? null : { part: part.id, staff };
    first += part.staves;
  }
  return null;
}

/** Return the clef in force: the step on which it stands, and where that is in the window. */
function clefAt(page: Element, staff: number, x: number): { step: number; y: number } | null {
  let found: { step: number; y: number } | null = null;
  for (const bar of page.querySelectorAll(".measure")) {
    const own = bar.querySelectorAll(":scope > .staff")[staff];
    for (const use of own?.querySelectorAll<SVGUseElement>(".clef use") ?? []) {
      const step = CLEFS[codeOf(use)];
      const at = use.getScreenCTM();
      if (step !== undefined && at && (found === null || at.e <= x)) found = { step, y: at.f };
    }
  }
  return found;
}

/** Return by how many steps what is written at a staff is meant higher than it stands. */
function octavesAt(page: Element, staff: number, x: number): number {
  const staves = [...(page.querySelector(".measure")?.querySelectorAll(":scope > .staff") ?? [])];
  const own = staves[staff]?.getBoundingClientRect();
  for (const line of page.querySelectorAll(".octave")) {
    const { left, right, top, bottom } = line.getBoundingClientRect();
    if (own === undefined || x < left || x > right) continue;
    const middle = (top + bottom) / 2;
    const distances = staves.map((one) => {
      const box = one.getBoundingClientRect();
      return Math.abs((box.top + box.bottom) / 2 - middle);
    });
    if (distances.indexOf(Math.min(...distances)) !== staff) continue;
    const steps = OCTAVES[codeOf(line.querySelector("use"))] ?? 7;
    return middle < (own.top + own.bottom) / 2 ? steps : -steps;
  }
  return 0;
}

/** Return the number of a glyph in SMuFL, as in `#glyph-E050`. */
function codeOf(use: Element | null): string {
  return use?.getAttribute("href")?.replace("#glyph-", "") ?? "";
}
