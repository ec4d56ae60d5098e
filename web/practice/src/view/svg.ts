/** Turns the service's SVG text into elements that a strict Content-Security-Policy lets be shown. */

/** Elements that run or load something, or style the whole page; a score has no use for them. */
const UNWANTED = "script, foreignObject, iframe, image, style, animate, set";

/** Style elements are taken out of the text: the policy already forbids a document to have them. */
const STYLE = /<style[\s>][\s\S]*?<\/style>/g;

/**
 * Parse an engraved page, or the glyphs of all pages, as a part of an HTML document.
 *
 * @throws Error if it is not SVG
 */
export function parseSvg(text: string): SVGSVGElement {
  const document = new DOMParser().parseFromString(text.replace(STYLE, ""), "text/html");
  const svg = document.body.firstElementChild;
  if (!(svg instanceof SVGSVGElement)) throw new Error("a page is not SVG");
  for (const element of svg.querySelectorAll(UNWANTED)) element.remove();
  for (const element of [svg, ...svg.querySelectorAll("*")]) {
    for (const { name, value } of [...element.attributes]) {
      const isLink = name === "href" || name === "xlink:href";
      if (/^on/i.test(name) || name === "style" || (isLink && !value.startsWith("#"))) {
        element.removeAttribute(name);
      }
    }
  }
  return svg;
}

/**
 * Return height over width of an engraved page.
 *
 * @throws Error if it is not SVG with a size
 */
export function aspectOf(text: string): number {
  const [, width, height] = /^<svg [^>]*?viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(text) ?? [];
  if (!width || !height) throw new Error("a page has no size");
  return Number(height) / Number(width);
}
