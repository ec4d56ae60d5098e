/** Brings the parts of the page together: what a reader does, what the bot answers, what is shown. */

import { type Display, Refusal, type Source } from "./api.ts";
import { CLICK, type Track } from "./audio/mixer.ts";
import { SoundUnavailable } from "./audio/output.ts";
import { Player } from "./audio/player.ts";
import { instrumentOf } from "./audio/synthesiser.ts";
import {
  addEdit,
  addedName,
  chordEdit,
  editOf,
  type NewNote,
  type NoteAction,
  pitchOf,
  placeInBar,
  withEdit,
} from "./edits.ts";
import { type Preferences, readPreferences, writePreferences } from "./preferences.ts";
import { type Change, type Score, ScoreIndex } from "./score.ts";
import type { TelegramBridge } from "./telegram.ts";
import { type Texts, textsFor } from "./texts.ts";
import { applyTheme } from "./theme.ts";
import { Frame } from "./ui/frame.ts";
import { listenToKeys } from "./ui/keyboard.ts";
import { NoteBar } from "./ui/note_bar.ts";
import type { PanelName } from "./ui/panels.ts";
import { AHEAD_S, Sheet, type Tap } from "./view/sheet.ts";
import { keepAwake } from "./wake_lock.ts";

/** Height of a staff, in CSS pixels, for the width of the page. */
function staffFor(width: number, size: number): number {
  const base = width < 600 ? 22 : width < 1000 ? 26 : 30;
  return Math.round(base * size);
}

/** While notes are added, a tap so close to a notehead chooses it, in pixels. */
const ON_HEAD_PX = 7;

/** Widths closer than this are not worth a new page. */
const SAME_WIDTH_PX = 24;

export class App {
  readonly isOffline: boolean;
  readonly player: Player;
  readonly sheet: Sheet;
  readonly preferences: Preferences;
  readonly #source: Source;
  readonly #telegram: TelegramBridge;
  readonly #frame: Frame;
  readonly #noteBar: NoteBar;
  #index: ScoreIndex;
  #texts: Texts;
  #options: Omit<Display, "width" | "staff"> = {};
  #width: number;
  #isEditing = false;
  #isAdding = false;
  #newValue = { value: 1, isDotted: false };
  #selected: string | null = null;
  #chordPlace = 0;
  #refetching: symbol | null = null;
  /** Requests run one after the other, so that no edit is based on a page that is about to change. */
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(
    source: Source,
    telegram: TelegramBridge,
    frame: Frame,
    sheet: Sheet,
    score: Score,
    width: number,
    preferences: Preferences,
  ) {
    this.isOffline = source.isOffline;
    this.#source = source;
    this.#telegram = telegram;
    this.#frame = frame;
    this.sheet = sheet;
    this.#width = width;
    this.preferences = preferences;
    this.#index = new ScoreIndex(score);
    this.#texts = textsFor(score.language);
    this.player = new Player(source, this.#index, {
      changed: () => this.#changed(),
      loading: (left) => this.#frame.setLoading(left > 0),
      failed: (what) => this.#frame.tell(this.#texts.failedSound(this.#texts.sounds[what] ?? what)),
    });
    this.player.countsIn = preferences.countsIn;
    this.#noteBar = new NoteBar(this);
    this.#frame.build(this, this.#noteBar.element);
    this.#show(score);
    listenToKeys(this);
    this.#draw();
  }

  /** Fetch the score and show it. */
  static async open(source: Source, telegram: TelegramBridge, root: HTMLElement): Promise<App> {
    const preferences = readPreferences();
    applyTheme(preferences.theme, telegram.theme);
    const frame = new Frame(root);
    frame.tell(textsFor(navigator.language).loading);
    let app: App | null = null;
    const sheet = new Sheet(frame.scroller, {
      tapped: (tap) => app?.tapped(tap),
      passageChosen: (passage) => app?.player.setPassage(passage),
    });
    const { width } = sheet;
    const score = await source.fetchScore({ width, staff: staffFor(width, preferences.size) });
    app = new App(source, telegram, frame, sheet, score, width, preferences);
    frame.tell("");
    telegram.onThemeChanged((theme) => applyTheme(preferences.theme, theme));
    telegram.ready();
    const opened = app;
    new ResizeObserver(() => opened.#resized()).observe(frame.scroller);
    return app;
  }

  get score(): Score {
    return this.#index.score;
  }

  get index(): ScoreIndex {
    return this.#index;
  }

  get texts(): Texts {
    return this.#texts;
  }

  get language(): string {
    return this.score.language;
  }

  get isEditing(): boolean {
    return this.#isEditing;
  }

  /** The chosen note's name, or null. */
  get selected(): string | null {
    return this.#selected;
  }

  /** Whether a reader can change the score. */
  get canEdit(): boolean {
    return !this.isOffline;
  }

  togglePlaying(): void {
    if (this.player.isPlaying) {
      this.player.pause();
      return;
    }
    this.player.play().catch((fault) => {
      console.error(fault);
      this.#frame.tell(
        fault instanceof SoundUnavailable ? this.#texts.noSound : this.#texts.failed,
      );
    });
  }

  /** Go back or on by a note or a bar; while editing, choose the note. */
  move(unit: "note" | "bar", direction: 1 | -1): void {
    if (this.#isEditing && unit === "note") {
      this.#selectNeighbour(direction);
      return;
    }
    const { notes, score } = this.#index;
    const here = this.player.heardQuarters();
    const places =
      unit === "bar" ? score.measures.map(({ start }) => start) : notes.map(({ start }) => start);
    // A little behind a place still means the one before.
    const target =
      direction > 0
        ? places.find((place) => place > here + 1e-3)
        : places.findLast((place) => place < here - (this.player.isPlaying ? 0.5 : 1e-3));
    if (target === undefined) return;
    this.player.seek(target);
    this.sheet.reveal(target);
  }

  #selectNeighbour(direction: 1 | -1): void {
    const notes = this.#index.notes.filter(({ note, ids }) => note !== "" && ids.length > 0);
    const here = this.player.heardQuarters();
    const chosen = notes.findIndex(({ note }) => note === this.#selected);
    const nearest = notes.findIndex(({ start }) => start >= here - 1e-3);
    const next = notes[chosen < 0 ? Math.max(0, nearest) : chosen + direction];
    if (next === undefined) return;
    this.#choose(next.start, next.ids[0] ?? null);
    this.sheet.reveal(next.start);
  }

  /** Repeat the bar that is heard, or nothing. */
  toggleLoop(): void {
    if (this.player.passage !== null) {
      this.player.setPassage(null);
      return;
    }
    const bar = this.#index.measureAt(this.player.heardQuarters());
    this.player.setPassage({ first: bar, last: bar });
  }

  /** Let the repeat begin or end with the bar that is heard. */
  setLoopEdge(edge: "first" | "last"): void {
    const bar = this.#index.measureAt(this.player.heardQuarters());
    const { first, last } = this.player.passage ?? { first: bar, last: bar };
    this.player.setPassage(
      edge === "first"
        ? { first: bar, last: Math.max(bar, last) }
        : { first: Math.min(bar, first), last: bar },
    );
  }

  toggleMetronome(): void {
    const track = this.player.tracks.find(({ id }) => id === CLICK);
    if (track) this.setTrack(CLICK, { isMuted: !track.isMuted });
  }

  setCountIn(isOn: boolean): void {
    this.player.countsIn = isOn;
    this.preferences.countsIn = isOn;
    writePreferences(this.preferences);
    this.refreshPanel();
  }

  setTrack(id: string, change: Partial<Omit<Track, "id" | "kind">>): void {
    this.player.setTrack(id, change);
    this.refreshPanel();
  }

  setTheme(theme: Preferences["theme"]): void {
    this.preferences.theme = theme;
    writePreferences(this.preferences);
    applyTheme(theme, this.#telegram.theme);
    this.refreshPanel();
  }

  setSize(size: number): void {
    this.preferences.size = size;
    writePreferences(this.preferences);
    this.#refetch();
  }

  /** Show the score otherwise: another view, transposition or pitches. */
  display(change: Omit<Display, "width" | "staff">): void {
    this.#options = { ...this.#options, ...change };
    this.#refetch();
  }

  /** Transpose by semitones from where the page is, or is about to be. */
  transposeBy(semitones: number): void {
    const present = this.#options.transpose ?? this.score.transpose;
    this.display({ transpose: Math.min(24, Math.max(-24, present + semitones)) });
  }

  /** Correct the page. */
  correct(change: Change): void {
    this.#request(() => this.#source.edit(this.score.revision, change, this.#display()));
  }

  undo(): void {
    if (this.score.can_undo) {
      this.#request(() => this.#source.undo(this.score.revision, this.#display()));
    }
  }

  redo(): void {
    if (this.score.can_redo) {
      this.#request(() => this.#source.redo(this.score.revision, this.#display()));
    }
  }

  toggleEditing(): void {
    if (!this.canEdit) return;
    this.#isEditing = !this.#isEditing;
    this.#isAdding = false;
    this.#frame.setEditing(this.#isEditing);
    if (this.#isEditing) this.#frame.tell(this.#texts.editHint);
    this.select(null);
  }

  /** Whether a tap adds a note. */
  get isAdding(): boolean {
    return this.#isAdding;
  }

  /** The value of new notes, in quarters before the dot. */
  get newValue(): Readonly<{ value: number; isDotted: boolean }> {
    return this.#newValue;
  }

  /** Let taps add notes, or choose them again. */
  toggleAdding(): void {
    if (!this.#isEditing) return;
    this.#isAdding = !this.#isAdding;
    this.#frame.tell(this.#isAdding ? this.#texts.addHint : this.#texts.editHint);
    this.#noteBar.refresh();
  }

  setNewValue(change: Partial<{ value: number; isDotted: boolean }>): void {
    this.#newValue = { ...this.#newValue, ...change };
    this.#noteBar.refresh();
  }

  /** Add a note like the chosen one behind it. */
  repeatNote(): void {
    const note = this.#index.notes.find((one) => one.note === this.#selected);
    if (!note) return;
    const { part, pitch, start, duration } = note;
    this.#add({ part, staff: null, pitch, start: start + duration, value: this.#lengthOfNew() });
  }

  /** Add a note where a staff was tapped. */
  #addAt({ bar, exact, place }: Tap): void {
    const measure = this.score.measures[bar];
    if (place === null || measure === undefined || !this.#isHeardPart(place.part)) {
      this.#frame.tell(this.#texts.addNotHere);
      return;
    }
    const part = this.score.parts.find(({ id }) => id === place.part);
    const value = this.#lengthOfNew();
    this.#add({
      part: place.part,
      staff: part?.staves === 2 ? place.staff : null,
      pitch: pitchOf(place.step, measure.fifths),
      start: placeInBar(exact, value, measure, this.#index),
      value,
    });
  }

  #lengthOfNew(): number {
    const { value, isDotted } = this.#newValue;
    return isDotted ? 1.5 * value : value;
  }

  /** Whether a part of the page is one that was heard, not one that was arranged from others. */
  #isHeardPart(part: string): boolean {
    return (
      this.score.view === "full" ||
      this.#index.notes.some(
        ({ note }) => note.startsWith(`${part}:`) || note.startsWith(`${part}+`),
      )
    );
  }

  #add(note: NewNote): void {
    this.#request(() => {
      const change = withEdit(this.score, addEdit(note, this.#index));
      return this.#source.edit(this.score.revision, change, this.#display());
    }).then(() => {
      const name = addedName(this.score, note.part);
      const added = this.#index.notes.find((one) => one.note === name);
      if (!added) return;
      this.select(name);
      this.#chordPlace = added.start;
      const [id] = added.ids;
      if (id) void this.player.preview(id);
    });
  }

  /** Choose a note by its name. */
  select(note: string | null): void {
    this.#selected = note;
    this.sheet.select(note);
    this.#noteBar.refresh();
  }

  /** Change the chosen note. Further actions wait for the answer, and then refer to the new page. */
  act(action: NoteAction): void {
    const name = this.#selected;
    if (name === null) return;
    this.#request(async () => {
      const note = this.#index.notes.find((one) => one.note === name);
      const edit = note && editOf(action, note, this.score);
      if (!edit) return null;
      return this.#source.edit(this.score.revision, withEdit(this.score, edit), this.#display());
    }).then(() => {
      const id = this.#index.notes.find((one) => one.note === name)?.ids[0];
      if (id) void this.player.preview(id);
    });
  }

  /** Write a chord symbol at the chosen place; an empty text deletes it. */
  setChord(text: string): void {
    const place = this.#chordPlace;
    this.#request(() => {
      const edit = chordEdit(text, place, this.#index);
      return this.#source.edit(this.score.revision, withEdit(this.score, edit), this.#display());
    });
  }

  /** The chord symbol at the chosen place, or an empty text. */
  get chordText(): string {
    const found = this.score.chords.find(({ start }) => Math.abs(start - this.#chordPlace) < 1e-3);
    return found?.text ?? "";
  }

  async send(): Promise<void> {
    await this.#attempt(async () => {
      await this.#source.send(this.score.revision, this.#display());
      this.#frame.tell(this.#texts.sent);
    });
  }

  async link(): Promise<void> {
    await this.#attempt(async () => {
      await this.#source.link();
      this.#frame.tell(this.#texts.linkSent);
    });
  }

  /** Download the page as one file, with the sounds that are turned on. */
  async save(): Promise<void> {
    await this.#attempt(async () => {
      this.#frame.setLoading(true);
      const heard = new Set(
        this.player.tracks.filter(({ isMuted }) => !isMuted).map(({ id }) => id),
      );
      const sounds = this.score.sounds.filter((name) => heard.has(`sound:${name}`));
      const banks = new Set(
        this.score.parts.map((part) => this.#source.bankName(instrumentOf(part))),
      );
      const file = await this.#source.save(
        this.#display(),
        sounds.length > 0 ? sounds : this.score.sounds.slice(0, 1),
        this.player.encoding,
        [...banks],
      );
      const url = URL.createObjectURL(file);
      const anchor = document.createElement("a");
      anchor.href = url;
      anchor.download = `${this.score.title.replace(/[\\/:*?"<>|]/g, "_") || "score"}.html`;
      anchor.click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      this.#frame.tell(this.#texts.saved((file.size / 1e6).toFixed(1)));
    });
    this.#frame.setLoading(false);
  }

  /** Whether the page runs in Telegram, whose clients save no files. */
  get isInTelegram(): boolean {
    return this.#telegram.isPresent;
  }

  /** Open the page in the browser of the system. */
  async openInBrowser(): Promise<void> {
    await this.#attempt(async () => this.#telegram.openLink(await this.#source.fetchAddress()));
  }

  openPanel(name: PanelName | null): void {
    this.#frame.openPanel(name);
  }

  /** Build the open panel anew. */
  refreshPanel(): void {
    this.#frame.refreshPanel();
  }

  /** A place was tapped: go there, and while editing choose or add a note. */
  tapped(tap: Tap): void {
    if (!this.#isEditing) this.player.seek(tap.quarters);
    else if (this.#isAdding && tap.distance > ON_HEAD_PX) this.#addAt(tap);
    else this.#choose(tap.quarters, tap.noteId);
  }

  /** Choose a note, or a place without one. */
  #choose(quarters: number, id: string | null): void {
    const note = id === null ? undefined : this.#index.noteWithId(id);
    this.#chordPlace = quarters;
    this.select(note?.note || null);
    if (!this.player.isPlaying) this.player.seek(quarters);
    if (id === null || !note) return;
    void this.player.preview(id);
    const bar = this.score.measures[this.#index.measureAt(quarters)];
    this.#frame.announce(this.#texts.noteChosen(bar?.number ?? ""));
  }

  #display(): Display {
    return {
      width: this.#width,
      staff: staffFor(this.#width, this.preferences.size),
      ...this.#options,
    };
  }

  #refetch(): void {
    const asked = Symbol();
    this.#refetching = asked;
    // Of several wishes that wait, only the last one is worth a page.
    this.#request(async () =>
      this.#refetching === asked ? this.#source.fetchScore(this.#display()) : null,
    );
  }

  #resized(): void {
    if (this.isOffline || Math.abs(this.sheet.width - this.#width) < SAME_WIDTH_PX) return;
    this.#width = this.sheet.width;
    this.#refetch();
  }

  /** Run a request after those before it, and show the score that it brings. */
  #request(ask: () => Promise<Score | null>): Promise<void> {
    const asked = this.#queue.then(() =>
      this.#attempt(async () => {
        this.#frame.setBusy(true);
        const score = await ask();
        if (score !== null) this.#show(score);
      }),
    );
    const done = asked.finally(() => this.#frame.setBusy(false));
    this.#queue = done;
    return done;
  }

  /** Do something that the bot may refuse; say why, and after a conflict show the newest page. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (fault) {
      if (fault instanceof Refusal && fault.code === "EDIT_CONFLICT") {
        this.#show(await this.#source.fetchScore(this.#display()));
        this.#frame.tell(this.#texts.conflict);
      } else if (fault instanceof Refusal) {
        this.#frame.tell(fault.message || this.#texts.failed);
      } else if (fault instanceof TypeError) {
        this.#frame.tell(this.#texts.offline);
      } else {
        throw fault;
      }
    }
  }

  #show(score: Score): void {
    this.#index = new ScoreIndex(score);
    this.#texts = textsFor(score.language);
    document.documentElement.lang = score.language;
    document.title = score.title;
    this.player.setScore(this.#index);
    this.sheet.show(this.#index);
    this.sheet.setPassage(this.player.passage);
    this.select(
      this.#index.notes.some(({ note }) => note === this.#selected) ? this.#selected : null,
    );
    this.#frame.update();
    this.refreshPanel();
  }

  #changed(): void {
    this.sheet.setPassage(this.player.passage);
    this.#frame.update();
    keepAwake(this.player.isPlaying);
  }

  /** Draw the cursor in every frame; at rest, this costs next to nothing. */
  #draw(): void {
    const quarters = this.player.heardQuarters();
    this.sheet.follow(quarters, this.player.isPlaying, this.player.heardQuarters(AHEAD_S));
    this.#frame.setPosition(quarters);
    requestAnimationFrame(() => this.#draw());
  }
}
