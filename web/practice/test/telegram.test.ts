import assert from "node:assert/strict";
import { test } from "node:test";
import { readInitData, readTheme } from "../src/telegram.ts";
import { isDark } from "../src/theme.ts";

const DATA = "query_id=AAH&user=%7B%22id%22%3A7%7D&auth_date=1700000000&hash=0f0f";

test("init data is found in the fragment, encoded as it should be", () => {
  const fragment = `link=T&tgWebAppData=${encodeURIComponent(DATA)}&tgWebAppVersion=8.0`;
  assert.equal(readInitData(fragment), DATA);
});

test("init data that a client did not encode is put together again", () => {
  const fragment = `link=T&tgWebAppData=${DATA}&tgWebAppVersion=9.6`;
  assert.deepEqual(
    [...new URLSearchParams(readInitData(fragment))],
    [...new URLSearchParams(DATA)],
  );
});

test("outside Telegram there is none", () => {
  assert.equal(readInitData("link=T"), "");
  assert.equal(readTheme("link=T"), null);
});

test("of a theme only colours are taken", () => {
  const theme = JSON.stringify({ bg_color: "#1c1c1e", text_color: "red;}", other: 3 });
  const fragment = `tgWebAppThemeParams=${encodeURIComponent(theme)}`;
  assert.deepEqual(readTheme(fragment), { bg_color: "#1c1c1e" });
  assert.equal(readTheme("tgWebAppThemeParams=%7Bbroken"), null);
});

test("dark and light backgrounds are told apart", () => {
  assert.equal(isDark("#1c1c1e"), true);
  assert.equal(isDark("#ffffff"), false);
});
