// Keeps a part of a page up to date: asks for it every second, and puts it in place once it
// has changed. A browser without scripts reloads the page instead (`noscript` in its head).
"use strict";

const EVERY_MS = 1000; // what a person takes for "at once"; unchanged, the answer is empty

const list = document.getElementById("live");
const told = document.getElementById("live-state");
let known = list.dataset.version;

async function look() {
  const answer = await fetch(list.dataset.source, { headers: { "If-None-Match": known } });
  if (answer.status === 304) return;
  if (answer.status === 401) throw new Error("the key is no longer valid: reload the page");
  if (!answer.ok) throw new Error(`the answer was ${answer.status}; trying again`);
  const text = await answer.text();
  if (isSelecting()) return; // it is copied first, and comes with the next look
  known = answer.headers.get("ETag");
  replace(text);
}

// What was opened stays open, and what is new is shown to be new.
function replace(text) {
  const opened = new Set([...list.querySelectorAll("details[open]")].map((each) => each.id));
  const seen = new Set([...list.querySelectorAll("li")].map((each) => each.id));
  list.innerHTML = text;
  for (const each of list.querySelectorAll("details")) each.open = opened.has(each.id);
  for (const each of list.querySelectorAll("li")) {
    if (!seen.has(each.id)) each.classList.add("new");
  }
}

function isSelecting() {
  const selection = document.getSelection();
  return !selection.isCollapsed && list.contains(selection.anchorNode);
}

function tell(isLive, text) {
  told.textContent = text;
  told.classList.toggle("is-live", isLive);
}

async function watch() {
  if (!document.hidden) {
    try {
      await look();
      tell(true, "Live");
    } catch (error) {
      // A failed fetch says it in the browser's own words, another in each.
      tell(false, `Not live: ${error instanceof TypeError ? "no answer; trying again" : error.message}`);
    }
  }
  setTimeout(watch, EVERY_MS);
}

watch();
