// Shows pages full screen: arrows or swipes turn them, a click or a key zooms, Escape closes.

import { fileUrl } from "./api.js";
import { byId } from "./dom.js";
import { t } from "./i18n.js";

const SWIPE_PX = 60;
let pages = [];
let index = 0;
let swipeStart = null;

function show() {
  const stage = byId("viewer-stage");
  stage.classList.remove("zoomed");
  stage.scrollTo(0, 0);
  byId("viewer-image").src = fileUrl(pages[index]);
  byId("viewer-image").alt = t("page", index + 1, pages.length);
  byId("viewer-save").href = fileUrl(pages[index], true);
  byId("viewer-count").textContent = pages.length > 1 ? t("page", index + 1, pages.length) : "";
  byId("viewer-previous").hidden = index === 0;
  byId("viewer-next").hidden = index === pages.length - 1;
}

function turn(by) {
  const next = Math.min(Math.max(index + by, 0), pages.length - 1);
  if (next === index) return;
  index = next;
  show();
}

function zoom(event) {
  const stage = byId("viewer-stage");
  const image = byId("viewer-image");
  const box = image.getBoundingClientRect();
  const x = event ? (event.clientX - box.left) / box.width : 0.5;
  const y = event ? (event.clientY - box.top) / box.height : 0;
  if (stage.classList.toggle("zoomed")) {
    stage.scrollTo(
      x * image.offsetWidth - stage.clientWidth / 2,
      y * image.offsetHeight - stage.clientHeight / 2,
    );
  }
}

export function openViewer(fileIds, at) {
  pages = fileIds;
  index = at;
  show();
  byId("viewer").showModal();
  byId("viewer-stage").focus();
}

export function setUpViewer() {
  const viewer = byId("viewer");
  const stage = byId("viewer-stage");
  byId("viewer-previous").addEventListener("click", () => turn(-1));
  byId("viewer-next").addEventListener("click", () => turn(1));
  byId("viewer-close").addEventListener("click", () => viewer.close());
  byId("viewer-image").addEventListener("click", zoom);
  stage.addEventListener("click", (event) => {
    if (event.target === stage) viewer.close();
  });
  viewer.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") turn(-1);
    else if (event.key === "ArrowRight") turn(1);
    else if ((event.key === "Enter" || event.key === " ") && event.target === stage) zoom();
    else return;
    event.preventDefault();
  });
  stage.addEventListener("touchstart", (event) => {
    const alone = event.touches.length === 1 && !stage.classList.contains("zoomed");
    swipeStart = alone ? event.touches[0].clientX : null;
  }, { passive: true });
  stage.addEventListener("touchend", (event) => {
    if (swipeStart === null) return;
    const moved = event.changedTouches[0].clientX - swipeStart;
    if (Math.abs(moved) > SWIPE_PX) turn(moved > 0 ? -1 : 1);
    swipeStart = null;
  });
}
