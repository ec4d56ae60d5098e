/** Opens the page. */

import { type Assets, BotSource, Refusal, type Source } from "./api.ts";
import { App } from "./app.ts";
import { findSaved } from "./offline.ts";
import { connectTelegram } from "./telegram.ts";
import { textsFor } from "./texts.ts";

declare global {
  interface Window {
    /** The page as it runs, for tests and the curious. */
    practice?: App;
  }
}

function openSource(fragment: string, initData: string): Source | null {
  const saved = findSaved(document);
  if (saved) return saved;
  const token = new URLSearchParams(fragment).get("link");
  const { stretch, synthesiser, soundbank } = document.documentElement.dataset;
  if (!token || !stretch || !synthesiser || !soundbank) return null;
  const assets: Assets = { stretch, synthesiser, soundbank: JSON.parse(soundbank) };
  return new BotSource(assets, token, initData);
}

async function main(): Promise<void> {
  const fragment = location.hash.slice(1);
  const telegram = connectTelegram(window, fragment);
  const source = openSource(fragment, telegram.initData);
  const root = document.body;
  const texts = textsFor(navigator.language);
  try {
    if (source === null) throw new Refusal("LINK_INVALID", texts.noLink, 401);
    window.practice = await App.open(source, telegram, root);
  } catch (fault) {
    const message = document.createElement("p");
    message.className = "fault";
    message.setAttribute("role", "alert");
    message.textContent = (fault instanceof Refusal && fault.message) || texts.failed;
    root.replaceChildren(message);
    telegram.ready();
    if (!(fault instanceof Refusal)) throw fault;
  }
}

void main();
