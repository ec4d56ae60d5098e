/**
 * Builds the practice page into `bot/practice/static/`:
 *
 * - `index.html`, and in `assets/` its script, style sheet, audio worklets and `licences.txt`;
 * - `soundbank/`, a file for each instrument and `index.json` (see soundbank.ts);
 * - `offline.html`, the same page in one file, into which the bot writes a score and its sounds.
 *
 * Names of assets contain a hash of their contents, so that browsers may keep them for ever.
 * The build fails if the scripts that load before any sound exceed 500 kB gzip.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type BuildOptions, build } from "esbuild";
import { writeLicences } from "./licences.ts";
import { writeSoundBanks } from "./soundbank.ts";

const HERE = dirname(import.meta.dirname);
const STATIC = join(HERE, "..", "..", "bot", "practice", "static");
const ASSETS = join(STATIC, "assets");
const LIMIT_BYTES = 500_000;

/** The stretcher's module is its own audio worklet, too. */
const STRETCH = "signalsmith-stretch";

const OPTIONS: BuildOptions & { write: false } = {
  bundle: true,
  minify: true,
  write: false,
  target: ["es2022", "safari16"],
  legalComments: "none",
  logLevel: "warning",
};

/** Bundle a source file with what it imports. */
async function bundle(name: string): Promise<string> {
  return text(await build({ ...OPTIONS, entryPoints: [join(HERE, "src", name)], format: "esm" }));
}

function text(result: { outputFiles: { text: string }[] }): string {
  const [file] = result.outputFiles;
  if (!file) throw new Error("esbuild wrote nothing");
  return file.text;
}

function readWorklet(name: string): string {
  const text = readFileSync(fileURLToPath(import.meta.resolve(name)), "utf8");
  return text.replace(/^\/\/# sourceMappingURL=.*$/m, "");
}

/** Write an asset under a name that contains its hash; return the name. */
function writeAsset(name: string, contents: string): string {
  const hash = createHash("sha256").update(contents).digest("hex").slice(0, 10);
  const hashed = name.replace(/\.(\w+)$/, `-${hash}.$1`);
  writeFileSync(join(ASSETS, hashed), contents);
  return hashed;
}

/** Escape what would end a script or style element. */
function inline(contents: string): string {
  return contents.replace(/<\/(script|style)/gi, "<\\/$1").replace(/<!--/g, "<\\!--");
}

function fill(template: string, values: Record<string, string>): string {
  return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the template asks for ${name}`);
    return value;
  });
}

async function main(): Promise<void> {
  rmSync(STATIC, { recursive: true, force: true });
  mkdirSync(ASSETS, { recursive: true });
  const script = await bundle("main.ts");
  const style = await bundle("style.css");
  const synthesiser = await bundle("worklet/synthesiser.ts");
  const stretch = readWorklet(STRETCH);
  const sounds = await writeSoundBanks(join(STATIC, "soundbank"));

  const index = readFileSync(join(STATIC, "soundbank", "index.json"), "utf8");
  const assets = {
    style: writeAsset("page.css", style),
    script: writeAsset("page.js", script),
    stretch: writeAsset("stretch.js", stretch),
    synthesiser: writeAsset("synthesiser.js", synthesiser),
    soundbank: JSON.stringify(JSON.parse(index)).replaceAll('"', "&quot;"),
  };
  const pages = join(HERE, "src", "pages");
  writeFileSync(
    join(STATIC, "index.html"),
    fill(readFileSync(join(pages, "index.html"), "utf8"), assets),
  );
  writeFileSync(
    join(STATIC, "offline.html"),
    fill(readFileSync(join(pages, "offline.html"), "utf8"), {
      style: inline(style),
      script: inline(script),
      stretch: inline(stretch),
      synthesiser: inline(synthesiser),
    }),
  );
  writeLicences(join(ASSETS, "licences.txt"), HERE);

  let total = 0;
  for (const [name, contents] of Object.entries({ script, style, stretch, synthesiser })) {
    const size = gzipSync(contents).length;
    if (name !== "style") total += size;
    console.log(`${name.padEnd(12)} ${(size / 1000).toFixed(1).padStart(7)} kB gzip`);
  }
  console.log(`${"all scripts".padEnd(12)} ${(total / 1000).toFixed(1).padStart(7)} kB gzip`);
  console.log(
    `${sounds.files} instruments, ${(sounds.bytes / 1e6).toFixed(1)} MB, loaded one by one`,
  );
  if (total > LIMIT_BYTES) throw new Error(`the scripts exceed ${LIMIT_BYTES / 1000} kB gzip`);
}

await main();
