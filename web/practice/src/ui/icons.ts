/** Icons, drawn on 24 by 24. */

const SHAPES = {
  play: {
    fill: "M8 5.2v13.6a.8.8 0 0 0 1.2.7l10.8-6.8a.8.8 0 0 0 0-1.4L9.2 4.5A.8.8 0 0 0 8 5.2Z",
  },
  pause: { fill: "M7 4.5h3.2v15H7zM13.8 4.5H17v15h-3.2z" },
  start: {
    fill: "M6 5h2.4v14H6z M19 5.6v12.8a.7.7 0 0 1-1.1.6L9.3 12.6a.7.7 0 0 1 0-1.2L17.9 5a.7.7 0 0 1 1.1.6Z",
  },
  loop: {
    line: "M4 12V9.5A3.5 3.5 0 0 1 7.5 6H19m0 0-3-3m3 3-3 3M20 12v2.5a3.5 3.5 0 0 1-3.5 3.5H5m0 0 3-3m-3 3 3 3",
  },
  mixer: { line: "M6 3v6m0 5v7M12 3v10m0 5v3M18 3v3m0 5v10M3.5 11.5h5M9.5 15.5h5M15.5 8.5h5" },
  edit: { line: "m4 20 1-4.5L16.5 4a2.1 2.1 0 0 1 3 3L8.5 18.5 4 20Zm10.5-14 3 3" },
  fix: { line: "M4 17.5V6.5m0 11h16M4 6.5h16M12 6.5v11M20 6.5v11" },
  page: {
    line: "M9 18V5.5l9-2V16M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0Zm9-2a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0Z",
  },
  more: {
    fill: "M5 10.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6Zm7 0a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6Zm7 0a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6Z",
  },
  close: { line: "m6 6 12 12M18 6 6 18" },
  undo: { line: "M4 9h10a5.5 5.5 0 0 1 0 11H9M4 9l4.5-4.5M4 9l4.5 4.5" },
  redo: { line: "M20 9H10a5.5 5.5 0 0 0 0 11h5M20 9l-4.5-4.5M20 9l-4.5 4.5" },
  send: { line: "M20.5 3.5 10.5 13.5M20.5 3.5 14 20.5l-3.5-7-7-3.5 17-6.5Z" },
  save: { line: "M12 4v11m0 0 4.5-4.5M12 15l-4.5-4.5M4.5 19.5h15" },
  metronome: { line: "M8.5 3.5h7l3.5 17H5l3.5-17ZM6.2 15h11.6M12 15l6-9" },
  plus: { line: "M12 5v14M5 12h14" },
  whole: {
    line: "M17.5 12c0 1.9-2.5 3.4-5.5 3.400s-5.5-1.5-5.5-3.4 2.5-3.4 5.5-3.4 5.5 1.5 5.5 3.400Z",
  },
  half: {
    line: "M14.5 17V4M14.5 16.300c0 1.6-1.9 3-4 3s-3.2-1.1-3.2-2.6 1.9-3 4-3 3.2 1.1 3.2 2.600Z",
  },
  quarter: {
    line: "M14.5 17V4",
    fill: "M15.2 16.200c0 1.9-2.1 3.5-4.5 3.500s-3.9-1.3-3.9-3.1 2.1-3.5 4.5-3.5 3.9 1.3 3.9 3.100Z",
  },
  eighth: {
    line: "M12.5 17V4c.4 3 4.5 3.4 4.5 7.5",
    fill: "M13.2 16.200c0 1.9-2.1 3.5-4.5 3.500s-3.9-1.3-3.9-3.1 2.1-3.5 4.5-3.5 3.9 1.3 3.9 3.100Z",
  },
  sixteenth: {
    line: "M12.5 17V3.500c.4 2.6 4.5 2.9 4.5 6M12.5 7.700c.4 2.6 4.5 2.9 4.5 6",
    fill: "M13.2 16.200c0 1.9-2.1 3.5-4.5 3.500s-3.9-1.3-3.9-3.1 2.1-3.5 4.5-3.5 3.9 1.3 3.9 3.100Z",
  },
  dot: { fill: "M14.2 14a2.2 2.2 0 1 1-4.4 0 2.2 2.2 0 0 1 4.4 0Z" },
  up: { line: "M12 19V5m0 0-5.5 5.5M12 5l5.5 5.5" },
  down: { line: "M12 5v14m0 0 5.5-5.5M12 19l-5.5-5.5" },
  remove: { line: "M5 7h14M10 7V4.5h4V7M7 7l.800 12.5h8.4L17 7M10.2 10.5v6M13.8 10.5v6" },
} as const satisfies Record<string, { fill?: string; line?: string }>;

export type IconName = keyof typeof SHAPES;

const SVG = "http://www.w3.org/2000/svg";

/** Draw an icon; its button has to have a label. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const shape: { fill?: string; line?: string } = SHAPES[name];
  for (const [kind, path] of Object.entries(shape)) {
    const element = document.createElementNS(SVG, "path");
    element.setAttribute("d", path);
    element.setAttribute("class", kind);
    svg.append(element);
  }
  return svg;
}
