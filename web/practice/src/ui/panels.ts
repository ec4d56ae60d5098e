/** The panels: mixer, page, corrections and more. Each is built anew when something has changed. */

import type { App } from "../app.ts";
import { CLICK, type Track, UNITY } from "../audio/mixer.ts";
import { tonicsOf } from "../edits.ts";
import type { Key, View } from "../score.ts";
import { tonicName } from "../texts.ts";
import { choice, group, h, select, toggle } from "./dom.ts";
import { icon } from "./icons.ts";

export type PanelName = "mixer" | "page" | "fix" | "more";

/** Build a panel's contents. */
export function buildPanel(name: PanelName, app: App): HTMLElement[] {
  switch (name) {
    case "mixer":
      return mixerPanel(app);
    case "page":
      return pagePanel(app);
    case "fix":
      return fixPanel(app);
    case "more":
      return morePanel(app);
  }
}

function mixerPanel(app: App): HTMLElement[] {
  const { texts, player, score } = app;
  const named = (track: Track): string => {
    const [, id = ""] = track.id.split(/:(.*)/s);
    if (track.kind === "click") return texts.metronome;
    if (track.kind === "sound") return texts.sounds[id] ?? id;
    return score.parts.find((part) => part.id === id)?.name || id;
  };
  const rows = (kind: Track["kind"], filter = (_: Track) => true) =>
    player.tracks
      .filter((track) => track.kind === kind && filter(track))
      .map((track) => fader(app, track, named(track)));
  const stems = rows("sound", ({ id }) => id !== "sound:recording");
  const tuning = h("output", {}, texts.concertPitch(player.concertPitch));
  const catches = [0, -(score.tuning_cents ?? 0)];
  const slider = h("input", {
    label: texts.tuning,
    attributes: { type: "range", min: -60, max: 60, step: 1 },
    oninput: () => {
      // As recorded, and A440, catch.
      const cents = slider.valueAsNumber;
      player.setTuning(catches.find((value) => Math.abs(value - cents) < 3) ?? cents);
      tuning.value = texts.concertPitch(player.concertPitch);
      slider.setAttribute("aria-valuetext", tuning.value);
    },
  });
  slider.value = String(player.tuning);
  return [
    score.sounds.includes("recording")
      ? group(texts.wholeRecording, ...rows("sound", ({ id }) => id === "sound:recording"))
      : null,
    stems.length > 0 ? group(texts.stems, ...stems) : null,
    group(texts.instruments, ...rows("part")),
    group(
      texts.metronome,
      ...rows("click"),
      h(
        "div",
        { class: "row" },
        toggle(
          {
            class: "wide",
            isOn: player.countsIn,
            onclick: () => app.setCountIn(!player.countsIn),
          },
          texts.countIn,
        ),
      ),
    ),
    group(texts.tuning, h("div", { class: "row" }, slider, tuning)),
  ].filter((part) => part !== null);
}

function fader(app: App, track: Track, name: string): HTMLElement {
  const { texts, player } = app;
  const slider = h("input", {
    label: texts.volume(name),
    attributes: { type: "range", min: 0, max: 1, step: 0.01, value: track.volume },
    oninput: () => {
      const isWoken = player.tracks.find(({ id }) => id === track.id)?.isMuted;
      player.setTrack(track.id, { volume: slider.valueAsNumber, isMuted: false });
      if (isWoken) app.refreshPanel();
    },
  });
  slider.style.setProperty("--unity", String(UNITY));
  return h(
    "div",
    { class: track.isMuted ? "fader muted" : "fader" },
    h("span", { class: "name" }, name),
    toggle(
      {
        label: `${texts.mute}: ${name}`,
        class: "small",
        isOn: track.isMuted,
        onclick: () => app.setTrack(track.id, { isMuted: !track.isMuted }),
      },
      texts.muteShort,
    ),
    track.id === CLICK
      ? null
      : toggle(
          {
            label: `${texts.solo}: ${name}`,
            class: "small solo",
            isOn: track.isSolo,
            onclick: () =>
              app.setTrack(track.id, {
                isSolo: !track.isSolo,
                isMuted: track.isSolo ? track.isMuted : false,
              }),
          },
          texts.soloShort,
        ),
    slider,
  );
}

function pagePanel(app: App): HTMLElement[] {
  const { texts, score, preferences } = app;
  const shift = score.transpose;
  return [
    app.isOffline || score.views.length < 2
      ? null
      : group(
          texts.view,
          choice(
            texts.view,
            score.views.map((view) => [view, texts.views[view] ?? view]),
            score.view,
            (view: View) => app.display({ view }),
          ),
        ),
    app.isOffline
      ? null
      : group(
          texts.transposition,
          h(
            "div",
            { class: "row stepper" },
            h("button", { label: texts.down, onclick: () => app.transposeBy(-1) }, "−"),
            h("output", {}, shift === 0 ? texts.original : texts.semitones(shift)),
            h("button", { label: texts.up, onclick: () => app.transposeBy(1) }, "+"),
          ),
        ),
    app.isOffline || !score.sung_differs
      ? null
      : group(
          texts.pitches,
          choice(
            texts.pitches,
            (["meant", "sung"] as const).map((value) => [value, texts.pitchesAs[value] ?? value]),
            score.pitches,
            (pitches) => app.display({ pitches }),
          ),
        ),
    app.isOffline || score.chords.length === 0
      ? null
      : group(
          texts.chord,
          toggle(
            {
              class: "wide",
              isOn: score.simple_chords === true,
              onclick: () => app.display({ simple_chords: !score.simple_chords }),
            },
            texts.simpleChords,
          ),
        ),
    app.isOffline
      ? null
      : group(
          texts.size,
          choice(
            texts.size,
            [0.8, 1, 1.25, 1.5].map((size) => [String(size), `${Math.round(100 * size)} %`]),
            String(preferences.size),
            (size) => app.setSize(Number(size)),
          ),
        ),
    group(
      texts.theme,
      choice(
        texts.theme,
        (["auto", "light", "dark"] as const).map((name) => [name, texts.themes[name] ?? name]),
        preferences.theme,
        (theme) => app.setTheme(theme),
      ),
    ),
  ].filter((part) => part !== null);
}

const METRES = ["2/4", "3/4", "4/4", "5/4", "6/8", "9/8", "12/8", "3/8", "2/2"];

function fixPanel(app: App): HTMLElement[] {
  const { texts, score } = app;
  const { key } = score;
  const metres = METRES.includes(score.time_signature) ? METRES : [score.time_signature, ...METRES];
  const button = (text: string, label: string, onclick: () => void) =>
    h("button", { label, title: label, onclick, attributes: { type: "button" } }, text);
  const tonics = new Set([key.tonic, ...tonicsOf(key.mode)]);
  return [
    score.alternatives.length > 0
      ? group(
          texts.perhaps,
          h(
            "div",
            { class: "list" },
            ...score.alternatives
              .slice(0, 4)
              .map(({ text, ...change }) =>
                h("button", { onclick: () => app.correct(change) }, text),
              ),
          ),
        )
      : null,
    group(
      texts.metre,
      choice(
        texts.metre,
        metres.map((metre) => [metre, metre]),
        score.time_signature,
        (metre) => app.correct({ corrections: { time_signature: metre } }),
      ),
    ),
    group(
      texts.values,
      h(
        "div",
        { class: "row" },
        button(texts.half, texts.halfLong, () => app.correct({ adjustments: { rescale: 0.5 } })),
        button(texts.double, texts.doubleLong, () => app.correct({ adjustments: { rescale: 2 } })),
      ),
    ),
    group(
      texts.barOne,
      h(
        "div",
        { class: "row" },
        h(
          "button",
          {
            onclick: () => app.correct({ adjustments: { bar_shift: { count: -1, unit: "beat" } } }),
          },
          texts.earlier,
        ),
        h(
          "button",
          {
            onclick: () => app.correct({ adjustments: { bar_shift: { count: 1, unit: "beat" } } }),
          },
          texts.later,
        ),
      ),
    ),
    group(
      texts.key,
      h(
        "div",
        { class: "row" },
        select(
          texts.tonic,
          [...tonics].map((tonic) => [tonic, tonicName(tonic, app.language)]),
          key.tonic,
          (tonic) => app.correct({ adjustments: { key: { tonic, mode: key.mode } } }),
        ),
        select<Key["mode"]>(
          texts.mode,
          (["major", "minor"] as const).map((mode) => [mode, texts.modes[mode] ?? mode]),
          key.mode,
          (mode) => app.correct({ adjustments: { key: { tonic: key.tonic, mode } } }),
        ),
      ),
    ),
    group(
      texts.finest,
      choice(
        texts.finest,
        Object.entries(texts.finestAs),
        String(score.corrections.finest_value ?? ""),
        (value) =>
          app.correct({
            corrections: value ? { finest_value: value } : { as_heard: ["finest_value"] },
          }),
      ),
    ),
    group(
      texts.triplets,
      choice(
        texts.triplets,
        Object.entries(texts.tripletsAs),
        String(score.corrections.triplets ?? ""),
        (value) =>
          app.correct({ corrections: value ? { triplets: value } : { as_heard: ["triplets"] } }),
      ),
    ),
  ].filter((part) => part !== null);
}

function morePanel(app: App): HTMLElement[] {
  const { texts, score } = app;
  const item = (name: Parameters<typeof icon>[0], text: string, onclick: () => void) =>
    h("button", { onclick, attributes: { type: "button" } }, icon(name), text);
  return [
    app.isOffline
      ? null
      : group(
          texts.score,
          h(
            "div",
            { class: "list" },
            score.can_send ? item("send", texts.send, () => void app.send()) : null,
            app.isInTelegram ? null : item("save", texts.save, () => void app.save()),
            app.isInTelegram
              ? item("page", texts.openInBrowser, () => void app.openInBrowser())
              : null,
            item("page", texts.link, () => void app.link()),
          ),
          h("p", { class: "hint" }, app.isInTelegram ? texts.openHint : texts.saveHint),
        ),
    h(
      "section",
      { class: "group keyboard" },
      h("h3", {}, texts.keys),
      h(
        "dl",
        { class: "keys" },
        ...texts.keysList.flatMap(([key = "", what = ""]) => [
          h("dt", {}, h("kbd", {}, key)),
          h("dd", {}, what),
        ]),
      ),
    ),
    app.isOffline
      ? null
      : h(
          "p",
          { class: "hint" },
          h("a", { attributes: { href: "assets/licences.txt", target: "_blank" } }, texts.licences),
        ),
  ].filter((part) => part !== null);
}
