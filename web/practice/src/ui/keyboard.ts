/** Keys. Controls that use a key themselves keep it. */

import type { App } from "../app.ts";
import type { NoteAction } from "../edits.ts";

const SPEED_STEP = 0.05;

/** Letters by their place on the keyboard, so that they work in any layout. */
const NOTE_KEYS: Readonly<Record<string, NoteAction>> = {
  ArrowUp: "stepUp",
  ArrowDown: "stepDown",
  Delete: "remove",
  Backspace: "remove",
};

/** Listen to keys all over the page. */
export function listenToKeys(app: App): void {
  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof HTMLElement ? event.target : null;
    if (event.altKey || target?.matches("input[type=text], select")) return;
    const isSlider = target?.matches("input[type=range]") ?? false;
    const isButton = target?.matches("button, a") ?? false;
    if (event.ctrlKey || event.metaKey) {
      if (event.code !== "KeyZ") return;
      event.preventDefault();
      if (event.shiftKey) app.redo();
      else app.undo();
      return;
    }
    if (isSlider && (event.code.startsWith("Arrow") || event.code === "Home")) return;
    if (isButton && (event.code === "Enter" || event.code === "Space")) return;
    const act = actionOf(event, app);
    if (act === null) return;
    event.preventDefault();
    act();
  });
}

function actionOf(event: KeyboardEvent, app: App): (() => void) | null {
  const { player } = app;
  const noteAction = NOTE_KEYS[event.code];
  if (app.isEditing && app.selected !== null && noteAction) {
    return () => app.act(event.shiftKey ? withSemitones(noteAction) : noteAction);
  }
  switch (event.code) {
    case "Space":
      return () => app.togglePlaying();
    case "ArrowLeft":
      return () => app.move(event.shiftKey ? "bar" : "note", -1);
    case "ArrowRight":
      return () => app.move(event.shiftKey ? "bar" : "note", 1);
    case "ArrowUp":
      return () => player.setSpeed(player.speed + SPEED_STEP);
    case "ArrowDown":
      return () => player.setSpeed(player.speed - SPEED_STEP);
    case "Home":
      return () => {
        player.seek(0);
        app.sheet.reveal(0);
      };
    case "KeyL":
      return () => app.toggleLoop();
    case "BracketLeft":
      return () => app.setLoopEdge("first");
    case "BracketRight":
      return () => app.setLoopEdge("last");
    case "KeyM":
      return () => app.toggleMetronome();
    case "KeyC":
      return () => app.setCountIn(!player.countsIn);
    case "KeyE":
      return () => app.toggleEditing();
    case "KeyN":
      return app.isEditing && app.selected !== null ? () => app.repeatNote() : null;
    case "Escape":
      return () => {
        if (app.isEditing) app.toggleEditing();
        else app.openPanel(null);
      };
    default:
      return null;
  }
}

function withSemitones(action: NoteAction): NoteAction {
  if (action === "stepUp") return "semitoneUp";
  return action === "stepDown" ? "semitoneDown" : action;
}
