// Person, language and theme: chosen in the header, stored by the browser.

import { session } from "./api.js";
import { byId } from "./dom.js";
import { currentLanguage, languages, setLanguage, t } from "./i18n.js";

const radios = (name) => [...document.querySelectorAll(`#settings input[name="${name}"]`)];

function check(name, value) {
  for (const radio of radios(name)) radio.checked = radio.value === value;
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  check("theme", theme);
}

const personOf = (role) =>
  (session.people.find((person) => person.is_administrator === (role === "admin")) ?? session.people[0]).id;

function showWho(role) {
  byId("who-label").textContent = t(role === "admin" ? "administrator" : "ordinaryUser");
  byId("settings-button").dataset.role = role;
}

export const roleNow = () => localStorage.getItem("role") ?? "admin";

export function restoreSettings() {
  const browser = navigator.language.slice(0, 2).toLowerCase();
  const language = localStorage.getItem("language") ?? browser;
  setLanguage(languages.includes(language) ? language : "en");
  check("language", currentLanguage());
  setTheme(localStorage.getItem("theme") ?? "auto");
}

export function choosePerson() {
  session.person = personOf(roleNow());
  check("role", roleNow());
  showWho(roleNow());
}

export function setUpSettings({ onPerson, onLanguage }) {
  byId("settings").addEventListener("change", (event) => {
    const { name, value } = event.target;
    localStorage.setItem(name, value);
    if (name === "theme") setTheme(value);
    else if (name === "language") {
      setLanguage(value);
      showWho(roleNow());
      onLanguage();
    } else {
      choosePerson();
      onPerson();
    }
  });
}
